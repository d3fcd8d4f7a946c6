"""A check as one JSON object, and as lines for people."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from noria.tune.data.check import Check
from noria.tune.data.faults import Finding

LISTED = 100  # findings of one kind; the rest is counted
SHOWN = 3  # of one kind on the screen


def report(
    found: Check, path: Path, problems: Sequence[str] = (), dataset: str | None = None
) -> dict[str, object]:
    """A check as ``noria data check --json`` prints it.

    ``problems``: what reading ``path`` left out; it comes before what was found. ``dataset``: the
    id under which the examples would be kept.
    """
    return {
        "examples": found.examples,
        "problems": [*problems, *listed(found, path)],
        "tokens": found.tokens,
        "truncated": len(found.cut),
        "duplicates": len(found.repeats),
        "leaks": len(found.leaks) + len(found.within),
        "pii": dict(found.personal),
        "dataset": dataset,
        "unreadable": len(problems),
        "exact_duplicates": len(found.repeats.exact),
        "near_duplicates": len(found.repeats.near),
        "exact_leaks": len(found.leaks.exact) + len(found.within.exact),
        "near_leaks": len(found.leaks.near) + len(found.within.near),
        "shared_documents": len(found.leaks.documents) + len(found.within.documents),
        "contradictions": found.times("contradiction"),
        "found": dict(sorted(Counter(each.kind for each in found.findings).items())),
        "labels": dict(found.labels),
        "origins": dict(found.origins),
        "unanswerable": found.unanswerable,
        "cut": [
            {"id": cut.id, "line": cut.line, "tokens": cut.tokens, "lost": cut.lost}
            for cut in found.cut[:LISTED]
        ],
    }


def listed(found: Check, path: Path, most: int = LISTED) -> Iterator[str]:
    """The findings as lines, ``most`` of each kind."""
    for kind, findings in by_kind(found.findings).items():
        for each in findings[:most]:
            yield f"{placed(each, path)}: {each.what}"
        if (more := len(findings) - most) > 0:
            yield f"{path}: {kind}: {more:,} more like these"


def by_kind(findings: Sequence[Finding]) -> Mapping[str, list[Finding]]:
    """The findings of each kind."""
    found: dict[str, list[Finding]] = {}
    for each in findings:
        found.setdefault(each.kind, []).append(each)
    return found


def placed(finding: Finding, path: Path) -> str:
    """Where a finding is: its line, or the id of its example."""
    if finding.line is not None:
        return f"{path}:{finding.line}"
    return str(path) if finding.id is None else f"{path}: {finding.id!r:.60}"


def told(found: Check, path: Path, problems: Sequence[str] = (), limit: int | None = None) -> str:
    """A check for people: the figures first, then a few findings of each kind."""
    pii = {kind: times for kind, times in found.personal.items() if times}
    lines = [
        f"{found.examples:,} examples, {len(problems):,} problems in reading",
        f"  repeated    {len(found.repeats.exact):,} exactly, {len(found.repeats.near):,} nearly",
        f"  leaks       {len(found.leaks) + len(found.within):,}",
        f"  personal    {', '.join(f'{n} {kind}' for kind, n in pii.items()) or 'none found'}",
    ]
    if found.tokens is not None:
        over = f", {len(found.cut):,} examples over {limit}" if limit else ""
        lines.append(f"  tokens      {found.tokens:,}{over}")
    lines += [f"  {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"  {path}: {len(problems) - SHOWN:,} more problems in reading")
    lines += [f"  {line}" for line in listed(found, path, SHOWN)]
    return "\n".join(lines)
