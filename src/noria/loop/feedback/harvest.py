"""From everything that was kept to examples: counted, agreed on, looked up, cleaned.

Everything that is left out is counted by its reason. Knows no files and no database.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from noria.answer.prompt import FORGED
from noria.loop.feedback.caps import Caps, capped
from noria.loop.feedback.examples import example_of, refusal, wanted
from noria.loop.feedback.given import Given, Lookup
from noria.loop.feedback.lessons import Lesson, lessons
from noria.loop.feedback.voices import SilentError, Voice, voice_of, voice_of_review
from noria.tune.data.alike import known
from noria.tune.data.clean import prompt_of, redact, texts_of
from noria.tune.data.repeats import contradictions, repeats
from noria.tune.examples import Example, Origin
from noria.types import PUBLIC, Feedback, Review

# The word of somebody whose work it is to look counts twice that of who happened to ask; what a
# model wrote is the last to be believed.
WEIGHTS: Mapping[Origin, float] = {"annotated": 1.0, "interaction": 0.5, "synthetic": 0.25}
TRUST: tuple[Origin, ...] = ("annotated", "interaction", "synthetic")  # the first one wins


@dataclass(frozen=True, slots=True)
class Policy:
    """What may become an example.

    ``groups``: those whose passages may be learnt; what a model has learnt, it may tell everybody.
    ``voices``: how many persons must hold the same. ``weights``: how much each origin counts.
    """

    groups: frozenset[str] = PUBLIC
    voices: float = 1.0
    caps: Caps = field(default_factory=Caps)
    weights: Mapping[Origin, float] = field(default_factory=lambda: WEIGHTS)


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of answers: all of them, what people thought, and what reviewers found."""

    answers: Mapping[str, Given]
    judgements: Sequence[Feedback] = ()
    reviews: Sequence[Review] = ()


@dataclass(frozen=True, slots=True)
class Harvest:
    """The examples, how many things were left out for which reason, and where each came from.

    ``sources``: ids of answers and judgements, by the id of the example.
    """

    examples: tuple[Example, ...]
    dropped: Mapping[str, int]
    sources: Mapping[str, tuple[str, ...]]

    @property
    def origins(self) -> dict[str, int]:
        """How many examples there are of each origin."""
        return dict(sorted(Counter(each.origin for each in self.examples).items()))


def harvested(
    kept: Kept,
    lookup: Lookup,
    policy: Policy = Policy(),
    held_out: Sequence[Example] = (),
    more: Sequence[Example] = (),
) -> Harvest:
    """The examples that ``kept`` comes to.

    ``held_out``: what a test asks, of which nothing is learnt. ``more``: examples from elsewhere,
    which are cleaned with the others.
    """
    dropped: Counter[str] = Counter()
    counted, left_out = capped(kept.judgements, kept.answers, policy.caps)
    voices = heard(counted, kept, dropped)
    agreed, undecided = lessons(voices, policy.voices)
    taught = list(entered(agreed, lookup, policy, dropped))
    sources = {made.id: source_of(lesson) for lesson, made in taught}
    others = (weighed(each, policy) for each in more)
    examples = [*(made for _, made in taught), *(each for each in others if each.id not in sources)]
    dropped += left_out + undecided
    cleaned = clean(examples, held_out, dropped)
    there = {each.id for each in cleaned}
    return Harvest(
        examples=cleaned,
        dropped=dict(sorted((+dropped).items())),
        sources={id: told for id, told in sources.items() if id in there},
    )


def heard(judgements: Iterable[Feedback], kept: Kept, dropped: Counter[str]) -> list[Voice]:
    """What judgements and reviews say, in the order of their time, the judgements first."""
    known = [review for review in kept.reviews if review.answer in kept.answers]
    ways: list[Callable[[], Voice]] = [
        *(partial(voice_of, judged, kept.answers) for judged in judgements),
        *(partial(voice_of_review, review, kept.answers[review.answer]) for review in known),
    ]
    voices = []
    for way in ways:
        try:
            voices.append(way())
        except SilentError as reason:
            dropped[str(reason)] += 1
    return voices


def entered(
    agreed: Sequence[Lesson], lookup: Lookup, policy: Policy, dropped: Counter[str]
) -> Iterator[tuple[Lesson, Example]]:
    """The lessons that may be learnt, each with its example."""
    found = lookup({id for lesson in agreed for id in wanted(lesson)}, policy.groups)
    for lesson in agreed:
        if reason := refusal(lesson, found, policy.groups):
            dropped[reason] += 1
        else:
            yield lesson, example_of(lesson, found, policy.weights[lesson.origin])


def source_of(lesson: Lesson) -> tuple[str, ...]:
    """Ids of the answers and judgements that a lesson came of."""
    return tuple(sorted({*(given.id for given in lesson.givens), *lesson.judgements}))


def weighed(example: Example, policy: Policy) -> Example:
    """An example from elsewhere, which counts as its origin does."""
    return replace(example, weight=example.weight * policy.weights[example.origin], line=None)


def clean(
    examples: Sequence[Example], held_out: Sequence[Example], dropped: Counter[str]
) -> tuple[Example, ...]:
    """The examples without personal data, forged templates, what a test asks, and repetitions.

    Of two that repeat or gainsay each other the one of the better origin stays; of two of the same
    origin that gainsay each other none.
    """
    redacted = sorted(redact(examples), key=lambda each: TRUST.index(each.origin))
    left = without(redacted, forged(redacted), "template", dropped)
    left = without(left, tested(left, held_out), "held out", dropped)
    left = without(left, repeats_of(left), "duplicate", dropped)
    return tuple(without(left, gainsaid(left), "contradiction", dropped))


def without(
    examples: Sequence[Example], places: set[int], reason: str, dropped: Counter[str]
) -> list[Example]:
    """The examples that do not stand at ``places``; the others are counted."""
    dropped[reason] += len(places)
    return [each for place, each in enumerate(examples) if place not in places]


def forged(examples: Sequence[Example]) -> set[int]:
    """Places of examples in which somebody wrote marks of a chat's template."""
    return {
        place
        for place, each in enumerate(examples)
        if any(FORGED.search(text) for text in texts_of(each) if text != each.question.context)
    }


def tested(examples: Sequence[Example], held_out: Sequence[Example]) -> set[int]:
    """Places of examples that ask what a test asks, or nearly; on whatever passages.

    Of a chat, also the last question alone is compared.
    """
    tests = [prompt_of(each) for each in held_out]
    if not tests or not examples:
        return set()
    whole = known([prompt_of(each) for each in examples], tests)
    last = known([each.question.text for each in examples], tests)
    return {place for place, hits in enumerate(zip(whole, last, strict=True)) if any(hits)}


def repeats_of(examples: Sequence[Example]) -> set[int]:
    """Places of examples that say what an earlier one says, or nearly."""
    again = repeats(examples)
    return {*again.exact, *again.near}


def gainsaid(examples: Sequence[Example]) -> set[int]:
    """Places of examples that an earlier one gainsays, and of that one where it is no better."""
    out: set[int] = set()
    for place, first in contradictions(examples):
        if first in out:
            continue
        out.add(place)
        if examples[first].origin == examples[place].origin:
            out.add(first)
    return out
