"""``noria evaluate general``: what a model can do in general, and what it has forgotten.

Leaves a folder: ``general.jsonl`` has what came of each question and piece of text, and
``metrics.json``, written last, the figures, all of which can be computed from it again.
"""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from noria.errors import DataError, UsageError
from noria.evaluate.forgetting import asking, suite
from noria.evaluate.forgetting.asking import PER_SET, Outcomes
from noria.evaluate.forgetting.changes import (
    TEXT,
    Reading,
    abilities,
    changes,
    other_tokens,
    reading,
)
from noria.jobs import silent
from noria.protocols import Clock, Progress, Scorer

METRICS = "metrics.json"
MAX_SECONDS = 540.0  # under ten minutes, with the time that loading a small model takes

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked, where it is written to, and what it is compared with."""

    tasks: tuple[asking.Task, ...]
    out: Path
    earlier: "Earlier | None" = None
    problems: tuple[str, ...] = ()


def plan(data: Path, out: Path, per_set: int = PER_SET, against: Path | None = None) -> Plan:
    """What to ask of what ``data`` holds.

    ``against``: the folder of an earlier run, or a file in it; the same is asked again. Raises
    DataError for data that cannot be read, UsageError if ``out`` holds an earlier run or nothing
    is left to ask.
    """
    if (out / METRICS).exists() or (out / asking.OUTCOMES).exists():
        raise UsageError(f"{out}: holds an earlier run; name another folder with --out")
    known = suite.read(data)
    if not against:
        return Plan(tuple(asking.planned(known, per_set)), out, None, known.problems)
    earlier = earlier_run(against)
    tasks, gone = asking.again(known, earlier.outcomes, earlier.kept)
    if not tasks:
        raise UsageError(f"{data} has none of the questions and texts of {against}; name its data")
    lost = (f"{gone} questions or texts of {against} are not in {data}",) if gone else ()
    return Plan(tuple(tasks), out, earlier, (*known.problems, *lost))


def evaluate(
    plan: Plan,
    scorer: Scorer,
    clock: Clock,
    max_seconds: float | None = MAX_SECONDS,
    about: Json | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Ask what is planned, write what was found, and return it.

    ``about`` is written down beside the figures.
    """
    outcomes = asking.ask(plan.tasks, scorer, clock, max_seconds, progress)
    asked, problems = len(asking.all_of(outcomes)), list(plan.problems)
    if asked < len(plan.tasks):
        problems.append(
            f"{asked} of {len(plan.tasks)} questions and texts were asked: no more would have "
            f"been answered within {max_seconds:.0f} s; give more with --max-seconds"
        )
    result = figures(outcomes, plan.earlier.kept if plan.earlier else None)
    if plan.earlier:
        result["against"] = compared(plan.earlier, outcomes)
    result |= {"report": str(plan.out), **(about or {}), "problems": problems}
    result = {name: known_only(value) for name, value in result.items()}
    asking.write(outcomes, plan.out)
    text = json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False)
    (plan.out / METRICS).write_text(text + "\n", encoding="utf-8")
    return result


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier run: its figures, and what came of each question. ``kept``: what counted."""

    folder: Path
    result: Json
    outcomes: Outcomes
    kept: frozenset[str]


def earlier_run(path: Path) -> Earlier:
    """The run that left the folder ``path``, or a file in it; raises DataError."""
    folder = path if path.is_dir() else path.parent
    metrics = folder / METRICS
    outcomes = asking.read(folder)
    try:
        result = json.loads(metrics.read_text(encoding="utf-8"))
        return Earlier(folder, result, outcomes, frozenset(result["sets"]))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", metrics) from None
    except (ValueError, TypeError, KeyError):
        raise DataError("not what noria evaluate general writes", metrics) from None


def known_only(value: Any) -> Any:
    """``value`` with None for what is not known: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: known_only(each) for key, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def figures(outcomes: Outcomes, kept: Collection[str] | None = None) -> dict[str, Any]:
    """What one model can do, as JSON has it.

    ``kept``: the sets that count; None: those on which this model beats chance.
    """
    found = abilities(outcomes)
    counted = [n for n, a in found.items() if (a.beats_chance if kept is None else n in kept)]
    text = reading(outcomes.heard) if outcomes.heard else None
    files = {each.set: None for each in outcomes.heard}
    parts = {name: reading([h for h in outcomes.heard if h.set == name]) for name in files}
    return {
        "perplexity": text.perplexity if text else None,
        "sets": {name: asdict(found[name]) for name in counted},
        "dropped": {name: asdict(a) for name, a in found.items() if name not in counted},
        "text": shown(text) | {"files": {n: shown(r) for n, r in parts.items()}} if text else None,
        "asked": len(outcomes.chosen) + len(outcomes.heard),
        "planned": outcomes.planned,
        "seconds": outcomes.seconds,
    }


def shown(text: Reading) -> dict[str, Any]:
    """A reading with its perplexity."""
    return {"perplexity": text.perplexity, **asdict(text)}


def compared(earlier: Earlier, outcomes: Outcomes) -> dict[str, Any]:
    """What changed since, as JSON has it; ``text`` is in nats a token, more being worse."""
    found = changes(earlier.outcomes, outcomes, earlier.kept)
    result: dict[str, Any] = {
        "report": str(earlier.folder),
        "model": earlier.result.get("model"),
        "sets": {name: asdict(each) for name, each in found.items() if name != TEXT},
        "text": asdict(found[TEXT]) if TEXT in found else None,
        "worse": [name for name, each in found.items() if each.worse],
    }
    if other_tokens(earlier.outcomes, outcomes):
        result["problem"] = "the two models cut texts into other tokens: perplexity says nothing"
    return result


def told(result: Json) -> str:
    """A result in words, for people."""
    lines = []
    for name, a in result["sets"].items():
        lines.append(f"{name}: {ability_line(a)}")
    for name, a in result["dropped"].items():
        lines.append(f"{name}: {ability_line(a)}; left out: not beyond chance")
    if text := result["text"]:
        lines.append(
            f"texts: perplexity {text['perplexity']:.2f} ({text['nats']:.3f} nats a token, "
            f"{between(text, 1, '.3f')}; {text['tokens']} tokens of "
            f"{text['documents']} documents)"
        )
    lines.append(f"{result['asked']} questions and texts in {result['seconds']:.0f} s")
    if against := result.get("against"):
        lines.append(f"\nagainst {against['report']}:")
        for name, c in against["sets"].items():
            lines.append(
                f"{name}: {100 * c['difference']:+.1f} points ({change_line(c, 100, '+.1f')})"
            )
        if c := against["text"]:
            lines.append(
                f"texts: {c['difference']:+.4f} nats a token ({change_line(c, 1, '+.4f')})"
            )
        lines.append(f"worse beyond chance: {', '.join(against['worse']) or 'nothing'}")
        lines += [against["problem"]] if "problem" in against else []
    return "\n".join([*lines, f"written to {result['report']}"])


def ability_line(a: Json) -> str:
    """A share of right answers in words."""
    return (
        f"{100 * a['accuracy']:.1f} % ({between(a, 100, '.1f')}) of {a['n']}; "
        f"chance {100 * a['chance']:.0f} %"
    )


def change_line(c: Json, scale: int, digits: str) -> str:
    """The interval of a change in words."""
    return f"{between(c, scale, digits)}; n = {c['n']}, p = {c['p']:.3f}"


def between(value: Json, scale: int, digits: str) -> str:
    """An interval in words."""
    if value["low"] is None:
        return "too few to tell"
    return f"{scale * value['low']:{digits}} to {scale * value['high']:{digits}}"
