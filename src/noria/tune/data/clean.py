"""What an example says, and the same without personal data, or without what repeats."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from noria.tune.data.personal import redacted
from noria.tune.examples import Example


def prompt_of(example: Example) -> str:
    """What is asked, word for word or as a question; without its context."""
    if example.turns:
        return "\n".join(turn.content for turn in example.turns)
    return example.question.text


def texts_of(example: Example) -> Iterator[str]:
    """Each text that may be learnt or read, once."""
    question = example.question
    said = (
        *(turn.content for turn in example.turns), question.text, question.context or "",
        example.response, *example.rejected, *question.answers,
    )  # fmt: skip
    return iter(dict.fromkeys(text for text in said if text))


def redact(examples: Sequence[Example]) -> tuple[Example, ...]:
    """The examples with placeholders such as ``[email]`` for personal data; ids stay."""
    return tuple(map(redacted_example, examples))


def redacted_example(example: Example) -> Example:
    """One example, redacted in all its texts alike."""
    question = example.question
    return replace(
        example,
        question=replace(
            question,
            text=redacted(question.text),
            answers=tuple(map(redacted, question.answers)),
            context=None if question.context is None else redacted(question.context),
            choices=tuple(map(redacted, question.choices)),
        ),
        response=redacted(example.response),
        turns=tuple(replace(turn, content=redacted(turn.content)) for turn in example.turns),
        rejected=tuple(map(redacted, example.rejected)),
        intent=None if example.intent is None else redacted(example.intent),
    )


def without(examples: Sequence[Example], places: Collection[int]) -> tuple[Example, ...]:
    """The examples that do not stand at ``places``: repeats, or leaks."""
    left_out = set(places)
    return tuple(each for at, each in enumerate(examples) if at not in left_out)
