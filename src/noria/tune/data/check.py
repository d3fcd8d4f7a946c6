"""Looks at training data before anything is spent on them. Knows no files and no models.

Everything is a finding: of which kind, in which example, and why. Nothing is changed here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from noria.jobs import silent
from noria.protocols import Progress
from noria.tune.data import faults, personal
from noria.tune.data.clean import prompt_of, texts_of
from noria.tune.data.faults import Finding, Kind
from noria.tune.data.repeats import LABELLED, Leaks, Repeats, contradictions, leaks, repeats
from noria.tune.data.split import by_split
from noria.tune.examples import Example

UNEVEN = 10  # times as many examples of the most frequent label as of another: worth a word
SHOWN = 80  # characters at each end of what would be cut
REMEMBERED = 10_000  # counts of texts, which repeat as the paragraphs of SQuAD do
STEP = 1_000  # examples between two words about how far it is
Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Cut:
    """An example that is longer than the limit, and what of its prompt would be lost.

    ``tokens``: of prompt and response, without the template's marks. ``lost``: the beginning and
    the end of what would be cut; empty where the response alone is too long to be learnt.
    """

    id: str
    line: int | None
    tokens: int
    lost: str


@dataclass(frozen=True, slots=True)
class Check:
    """What was found.

    ``tokens``: of all prompts and responses; None where nothing counts them. ``personal``: pieces
    of personal data, by kind. ``labels`` and ``origins``: examples of each. ``within``: leaks
    between the splits that a file names itself.
    """

    examples: int
    findings: tuple[Finding, ...]
    tokens: int | None
    cut: tuple[Cut, ...]
    repeats: Repeats
    leaks: Leaks
    within: Leaks
    personal: Mapping[personal.Kind, int]
    labels: Mapping[str, int]
    origins: Mapping[str, int]
    unanswerable: int

    def times(self, kind: Kind) -> int:
        """How many findings of a kind there are."""
        return sum(finding.kind == kind for finding in self.findings)


def check(
    examples: Sequence[Example],
    against: Sequence[Example] = (),
    count: Count | None = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> Check:
    """What is wrong, or may be, with ``examples``.

    ``against``: what a test will ask, of which nothing may be learnt. ``count`` counts tokens, of
    which an example may have ``limit``.
    """
    findings: list[Finding] = []
    for done, example in enumerate(examples):
        findings += faults.of_example(example)
        if done % STEP == 0:
            progress("reading", done, len(examples))
    progress("reading", len(examples), len(examples))
    held = pieces(examples)
    again = repeats(examples)
    leaked = leaks(examples, against)
    train, rest = by_split(examples)
    within = leaks(train, rest)
    sizes = measured(examples, count, progress) if count else []
    long = tuple(cuts(examples, sizes, limit)) if limit else ()
    findings += [
        *of_pieces(examples, held),
        *of_repeats(examples, again),
        *of_contradictions(examples),
        *of_leaks(examples, against, leaked, "the other file"),
        *of_leaks(train, rest, within, "another split of this file"),
        *of_labels(examples),
        *of_cuts(long, limit),
    ]
    return Check(
        examples=len(examples),
        findings=tuple(findings),
        tokens=sum(map(sum, sizes)) if count else None,
        cut=long,
        repeats=again,
        leaks=leaked,
        within=within,
        personal={kind: sum(each[kind] for each in held.values()) for kind in personal.KINDS},
        labels=labels(examples),
        origins=dict(Counter(each.origin for each in examples)),
        unanswerable=sum(each.question.unanswerable for each in examples),
    )


def pieces(examples: Sequence[Example]) -> dict[int, Counter[personal.Kind]]:
    """The personal data of each example that has any, by its place."""
    look = lru_cache(REMEMBERED)(personal.found)
    found = {}
    for place, example in enumerate(examples):
        held = Counter(piece.kind for text in texts_of(example) for piece in look(text))
        if held:
            found[place] = held
    return found


def measured(
    examples: Sequence[Example], count: Count, progress: Progress = silent
) -> list[tuple[int, int]]:
    """Tokens of the prompt and of the response of each example."""
    tokens = lru_cache(REMEMBERED)(count)
    found = []
    for done, each in enumerate(examples):
        context = tokens(each.question.context) if each.question.context else 0
        response = tokens(each.response) if each.response else 0
        found.append((context + tokens(prompt_of(each)), response))
        if done % STEP == 0:
            progress("counting", done, len(examples))
    progress("counting", len(examples), len(examples))
    return found


def cuts(
    examples: Sequence[Example], sizes: Sequence[tuple[int, int]], limit: int
) -> Iterator[Cut]:
    """The examples of more than ``limit`` tokens; the middle of the prompt is what is lost."""
    for example, (before, after) in zip(examples, sizes, strict=True):
        if before + after <= limit:
            continue
        room = limit - after
        lost = "" if room < 2 else shown(middle(whole(example), room / before))
        yield Cut(example.id, example.line, before + after, lost)


def whole(example: Example) -> str:
    """The prompt with its context."""
    return "\n".join(part for part in (example.question.context, prompt_of(example)) if part)


def middle(text: str, share: float) -> str:
    """What is lost when of ``text`` only ``share`` is kept, half of it from each end.

    >>> middle("abcdefgh", 0.5)
    'cdef'
    """
    end = int(len(text) * share / 2)
    return text[end : len(text) - end]


def shown(text: str) -> str:
    """The beginning and the end of a text."""
    return text if len(text) <= 2 * SHOWN + 5 else f"{text[:SHOWN]} [..] {text[-SHOWN:]}"


def labels(examples: Sequence[Example]) -> dict[str, int]:
    """How many examples each label has, the most frequent first; also those that have none.

    An answer is a label if other examples have the same choices.
    """
    asked = Counter(each.question.choices for each in examples)
    found: Counter[str] = Counter()
    for each in examples:
        question = each.question
        if question.task in LABELLED and question.choices and asked[question.choices] > 1:
            found.update({choice: 0 for choice in question.choices})
            found.update([each.response] if each.response else [])
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def finding(kind: Kind, example: Example, what: str) -> Finding:
    """A finding in one example."""
    return Finding(kind, what, example.id, example.line)


def named(example: Example) -> str:
    """An example, as people find it."""
    return f"{example.id!r:.60}" if example.line is None else f"line {example.line}"


def of_pieces(
    examples: Sequence[Example], held: Mapping[int, Counter[personal.Kind]]
) -> Iterator[Finding]:
    """Personal data, without repeating them."""
    for place, times in held.items():
        told = ", ".join(f"{kind} ({n})" for kind, n in times.items())
        yield finding("personal data", examples[place], f"personal data: {told}")


def of_repeats(examples: Sequence[Example], again: Repeats) -> Iterator[Finding]:
    """Copies, and what is nearly one."""
    for place, first in again.exact.items():
        yield finding("duplicate", examples[place], f"the same as {named(examples[first])}")
    for place, first in again.near.items():
        what = f"nearly the same as {named(examples[first])}"
        yield finding("near-duplicate", examples[place], what)


def of_contradictions(examples: Sequence[Example]) -> Iterator[Finding]:
    """Two responses to a prompt, of which one is wrong."""
    for place, first in contradictions(examples):
        one, other = examples[place], examples[first]
        what = (
            f"gainsays {named(other)}: to the same prompt, one says {one.response!r:.60} and the "
            f"other {other.response!r:.60}"
        )
        yield finding("contradiction", one, what)


def of_leaks(
    examples: Sequence[Example], others: Sequence[Example], leaked: Leaks, where: str
) -> Iterator[Finding]:
    """What a test asks, too."""
    kinds: tuple[tuple[Kind, Mapping[int, int], str], ...] = (
        ("leak", leaked.exact, "its prompt is that of"),
        ("near-leak", leaked.near, "its prompt is nearly that of"),
        ("shared document", leaked.documents, "it is about the same document as"),
    )
    for kind, places, what in kinds:
        for place, other in places.items():
            yield finding(kind, examples[place], f"{what} {named(others[other])} in {where}")


def of_labels(examples: Sequence[Example]) -> Iterator[Finding]:
    """Labels of which a model sees too little to learn them."""
    found = labels(examples)
    most = max(found.values(), default=0)
    for label, times in found.items():
        if times * UNEVEN <= most:
            yield Finding(
                "balance", f"the label {label!r:.60} has {times} of {sum(found.values())} examples"
            )


def of_cuts(long: Sequence[Cut], limit: int | None) -> Iterator[Finding]:
    """Examples over the limit."""
    for cut in long:
        what = f"{cut.tokens} tokens, of which {limit} are read; "
        what += f"lost would be: {cut.lost!r}" if cut.lost else "its response alone is too long"
        yield Finding("too long", what, cut.id, cut.line)
