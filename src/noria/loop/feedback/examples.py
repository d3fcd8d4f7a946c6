"""A lesson as an example to learn from, with the text of the passages that support it.

Passages are looked up as they are now: what is gone stays gone, and what is for some is not told.
"""

from itertools import takewhile

from noria.answer.facts import has_names, has_numbers
from noria.answer.grounding import SUPPORTED
from noria.corpus.snapshot import Named
from noria.evaluate.questions import Question
from noria.loop.feedback.given import Given, restricted
from noria.loop.feedback.lessons import Lesson, answerable
from noria.tune.data.alike import same
from noria.tune.examples import Example
from noria.types import Chat, Item, Message
from noria.words import UNKNOWN, coverage, terms


def wanted(lesson: Lesson) -> set[str]:
    """Ids of the passages that a lesson is about."""
    return {id for given in lesson.givens for id in (*given.read, *given.cited)} | {*lesson.support}


def refusal(lesson: Lesson, found: Named, groups: frozenset[str]) -> str | None:
    """Why a lesson may not be learnt where readers in ``groups`` may read it; None if it may."""
    if not found.hidden.isdisjoint(lesson.support):
        return "restricted"
    if any(restricted(given, found, groups) for given in lesson.givens):
        return "restricted"
    rests_on = lesson.support or (lesson.given.cited if quotes(lesson) else ())
    return None if all(id in found.seen for id in rests_on) else "gone"


def quotes(lesson: Lesson) -> bool:
    """Whether a lesson repeats what was answered, and so what that cited."""
    return lesson.response is None or same(lesson.response) == same(lesson.given.text)


def example_of(lesson: Lesson, found: Named, weight: float) -> Example:
    """The example of a lesson that may be learnt.

    A question after others is learnt as a chat, word for word, without passages: alone, nobody
    would understand it.
    """
    given = lesson.given
    items = supporting(lesson, found)
    turns = chat(given)
    response = lesson.response or ""
    question = Question(
        id=given.id,
        text=given.question,
        answers=(response,) if response else (),
        documents=tuple(dict.fromkeys(item.document for item in items if item.document)),
        task="chat" if turns else "qa",
        context="\n\n".join(item.text for item in items) or None if not turns else None,
        unanswerable=not answerable(lesson),
    )
    return Example(
        question=question,
        response=response,
        turns=turns,
        rejected=lesson.rejected,
        intent=lesson.intent,
        origin=lesson.origin,
        weight=weight,
    )


def supporting(lesson: Lesson, found: Named) -> list[Item]:
    """The passages that hold the answer: those that a reviewer named, or that the answer cites.

    Of a text that somebody wrote themselves, those that it rests on. Where there is no answer,
    those that were read, so that a model learns not to find one there.
    """
    given = lesson.given
    if lesson.support:
        ids = lesson.support
    elif not answerable(lesson):
        ids = given.read
    elif quotes(lesson):
        ids = given.cited
    else:
        ids = tuple(id for id in given.read if id in found.seen)
        return [found.seen[id] for id in ids if bears(lesson, found.seen[id])]
    return [found.seen[id] for id in ids if id in found.seen]


def bears(lesson: Lesson, item: Item) -> bool:
    """Whether a passage has the numbers, the names and most words of a response."""
    said = lesson.response or ""
    text = " ".join((*item.headings, item.text))
    there = set(terms(text, UNKNOWN))
    own = set(terms(said, UNKNOWN)) - set(terms(lesson.given.question, UNKNOWN))
    return (
        has_numbers(said, text)
        and has_names(said, text, there)
        and coverage(own or terms(said, UNKNOWN), there) >= SUPPORTED
    )


def chat(given: Given) -> Chat:
    """What was said before the answer, if something was said before the question.

    The turns took turns, and the question is the user's. What stands before a silence is left out.
    """
    if not given.history:
        return ()
    turns: list[Message] = [Message("user", given.question)]
    for text in takewhile(str.strip, reversed(given.history)):
        turns.insert(0, Message("assistant" if turns[0].role == "user" else "user", text))
    return tuple(turns if turns[0].role == "user" else turns[1:])
