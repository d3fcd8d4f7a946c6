"""What a judgement says: which text somebody holds for the answer, or for none.

Knows one judgement at a time, and nothing of whether others agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from noria.errors import UsageError
from noria.loop.feedback.caps import person
from noria.loop.feedback.given import Given
from noria.tune.data.alike import same
from noria.tune.examples import Origin
from noria.types import Feedback, Review

# What people do without meaning to judge says little: four who copy an answer are one who likes it.
UNMEANT = {"copied": 0.25, "asked-again": -0.25}
NOTHING = ""  # the text of who says that there is no answer


@dataclass(frozen=True, slots=True)
class Voice:
    """What one person holds of a text as the answer to a question.

    ``weight``: above 0 for it, below against it. ``instead``: texts that it is better than.
    ``source``: id of the judgement; a review has none. ``support``: ids of passages, where a
    reviewer named some.
    """

    given: Given
    text: str
    weight: float
    who: tuple[str, str]
    at: datetime
    source: str | None = None
    instead: tuple[str, ...] = ()
    origin: Origin = "interaction"
    intent: str | None = None
    support: tuple[str, ...] = ()


class SilentError(UsageError):
    """A judgement that says nothing of a text; its message is the reason, in a word or two."""


def voice_of(judged: Feedback, answers: Mapping[str, Given]) -> Voice:
    """What a judgement says; raises SilentError where that is nothing to learn from."""
    given = answers[judged.answer]
    plain = Voice(given, given.text, 1.0, person(judged, given), judged.at, judged.id)
    if judged.kind == "correction":
        return better(plain, (judged.text or "").strip(), (given,))
    if judged.kind == "ranking":
        return of_ranking(judged, plain, answers)
    if judged.kind == "comment":
        raise SilentError("comment")
    if not given.answers:
        raise SilentError("abstained")
    return replace(plain, weight=UNMEANT.get(judged.kind, judged.value or 0.0))


def of_ranking(judged: Feedback, plain: Voice, answers: Mapping[str, Given]) -> Voice:
    """The best of several answers to one question.

    That the second is better than the third teaches nothing: to learn it would be to learn to
    write the second, which is known to be worse than the first.
    """
    if any(id not in answers for id in judged.ranking) or not judged.ranking:
        raise SilentError("unknown answer")
    best, *others = (answers[id] for id in judged.ranking)
    if any(other.asked != best.asked for other in others):
        raise SilentError("other question")
    if not best.answers:
        raise SilentError("abstained")
    return better(replace(plain, given=best), best.text, others)


def better(plain: Voice, text: str, than: Sequence[Given]) -> Voice:
    """A voice for a text, and against what it was better than."""
    if not text:
        raise SilentError("comment")
    worse = (each.text for each in than if each.answers and same(each.text) != same(text))
    return replace(plain, text=text, instead=tuple(dict.fromkeys(worse)))


def voice_of_review(review: Review, given: Given) -> Voice:
    """What a reviewer found; raises SilentError where that is nothing to learn from."""
    plain = Voice(
        given,
        given.text,
        1.0,
        (review.tenant, review.reviewer),
        review.at,
        origin="annotated",
        intent=(review.intent or "").strip() or None,
        support=review.passages,
    )
    text = (review.text or "").strip()
    if review.verdict == "unanswerable":
        worse = (given.text,) if given.answers else ()
        return replace(plain, text=NOTHING, instead=worse, support=())
    if review.verdict == "wrong" and text:
        return better(plain, text, (given,))
    if review.verdict == "right" and text:
        return replace(plain, text=text)  # another wording of what is right: nothing was wrong
    if not given.answers:
        raise SilentError("abstained")
    return replace(plain, weight=1.0 if review.verdict == "right" else -1.0)
