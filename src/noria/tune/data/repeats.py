"""What examples have in common: copies, contradictions, and what is in the test as well."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from noria.evaluate.questions import Question
from noria.tune.data.alike import known, same, together
from noria.tune.data.clean import prompt_of
from noria.tune.examples import Example

LABELLED = frozenset({"classification", "choice"})
NONE = -1  # the group of what has no context


@dataclass(frozen=True, slots=True)
class Repeats:
    """Places of examples that repeat an earlier one, with its place."""

    exact: dict[int, int]
    near: dict[int, int]

    def __len__(self) -> int:
        return len(self.exact) + len(self.near)


@dataclass(frozen=True, slots=True)
class Leaks:
    """Places of examples that are in other data too, each with a place there.

    ``exact`` and ``near``: the prompt is. ``documents``: the prompt is not, but what it is about.
    """

    exact: dict[int, int]
    near: dict[int, int]
    documents: dict[int, int]

    def __len__(self) -> int:
        return len(self.exact) + len(self.near)


def groups(texts: Sequence[str]) -> list[int]:
    """For each text the number of its group of texts that hang together; ``NONE`` for no text."""
    distinct = list(dict.fromkeys(text for text in texts if text))
    found = dict(zip(distinct, together(distinct), strict=True))
    return [found[text] if text else NONE for text in texts]


def contexts(examples: Sequence[Example]) -> list[int]:
    """For each example the number of its context; nearly the same context is the same."""
    return groups([each.question.context or "" for each in examples])


def responses(examples: Sequence[Example]) -> list[int]:
    """For each example the number of what it says of a prompt: its responses, good and bad."""
    return groups(["\n".join((e.response, *e.rejected)).strip() for e in examples])


def repeats(examples: Sequence[Example]) -> Repeats:
    """Examples with the prompt, the context and the responses of an earlier one, or nearly so."""
    prompts = [prompt_of(each) for each in examples]
    keys = [
        (context, response, bool(example.response), example.question.unanswerable)
        for context, response, example in zip(
            contexts(examples), responses(examples), examples, strict=True
        )
    ]
    exact: dict[int, int] = {}
    near: dict[int, int] = {}
    before: dict[tuple[str, ...], int] = {}
    for place, first in enumerate(together(prompts, keys)):
        copy = before.setdefault(content(examples[place]), place)
        if copy < place:
            exact[place] = copy
        elif first < place:
            near[place] = first
    return Repeats(exact, near)


def content(example: Example) -> tuple[str, ...]:
    """What an example says, in the words that count."""
    question = example.question
    whole = (prompt_of(example), question.context or "", example.response, *example.rejected)
    return tuple(same(text) if text else "" for text in whole)


def contradictions(examples: Sequence[Example]) -> Iterator[tuple[int, int]]:
    """Places of examples that gainsay an earlier one with the same prompt, and its place.

    Labels differ, or what one rejects the other responds, or only one can be answered. Other
    responses to a prompt may differ: there is more than one good poem.
    """
    asked: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, example in enumerate(examples):
        asked[content(example)[:2]].append(place)
    for places in asked.values():
        for at, place in enumerate(places):
            others = (p for p in places[:at] if gainsays(examples[place], examples[p]))
            first = next(others, None)
            if first is not None:
                yield place, first


def gainsays(one: Example, other: Example) -> bool:
    """Whether two examples of one prompt cannot both be right."""
    if one.question.unanswerable != other.question.unanswerable:
        return True
    if one.response in other.rejected or other.response in one.rejected:
        return True
    return (
        one.question.task in LABELLED
        and bool(one.response and other.response)
        and one.response not in other.question.answers
        and other.response not in one.question.answers
    )


def leaks(examples: Sequence[Example], others: Sequence[Example]) -> Leaks:
    """What of ``examples`` is among ``others``, which are kept for a test.

    Two prompts on different contexts are different questions, however alike.
    """
    if not examples or not others:
        return Leaks({}, {}, {})
    read = contexts([*examples, *others])
    here, there = read[: len(examples)], read[len(examples) :]

    def comparable(one: int, other: int) -> bool:
        return NONE in (here[one], there[other]) or here[one] == there[other]

    prompts = known(list(map(prompt_of, examples)), list(map(prompt_of, others)), comparable)
    exact = {at: hit[0] for at, hit in enumerate(prompts) if hit and hit[1]}
    near = {at: hit[0] for at, hit in enumerate(prompts) if hit and not hit[1]}
    about: dict[object, int] = {}
    for place, (context, other) in enumerate(zip(there, others, strict=True)):
        for key in documents(other.question, context):
            about.setdefault(key, place)
    shared = {
        at: about[key]
        for at, (context, example) in enumerate(zip(here, examples, strict=True))
        if at not in exact and at not in near
        for key in documents(example.question, context)
        if key in about
    }
    return Leaks(exact, near, shared)


def documents(
    question: Question, context: int
) -> Iterator[tuple[Literal["document", "context"], object]]:
    """By what two questions are about the same: the names of documents, and the context."""
    for name in question.documents:
        yield "document", name
    if context != NONE:
        yield "context", context
