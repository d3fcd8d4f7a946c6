"""What people agree on: of all voices on one question, the lesson, or none.

Knows no passages' texts, and nothing of how a lesson becomes an example.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from noria.loop.feedback.given import Given, Topic
from noria.loop.feedback.voices import NOTHING, Voice
from noria.tune.data.alike import same
from noria.tune.examples import Origin


@dataclass(frozen=True, slots=True)
class Lesson:
    """What to answer to a question, and what not.

    ``givens``: the answers it is about, first the one whose question and passages it takes.
    ``response``: None where only what is wrong is known, ``NOTHING`` where there is no answer.
    ``support``: the passages that a reviewer named. ``judgements``: ids of those it rests on.
    """

    givens: tuple[Given, ...]
    response: str | None
    rejected: tuple[str, ...] = ()
    origin: Origin = "interaction"
    intent: str | None = None
    support: tuple[str, ...] = ()
    judgements: tuple[str, ...] = ()

    @property
    def given(self) -> Given:
        """The answer whose question it takes."""
        return self.givens[0]


def lessons(voices: Iterable[Voice], enough: float) -> tuple[list[Lesson], Counter[str]]:
    """The lesson of each question on which people agree; how many voices or texts are left out.

    ``enough``: how many persons must hold the same; of reviewers, one is.
    """
    topics: dict[Topic, list[Voice]] = defaultdict(list)
    for voice in voices:
        topics[voice.given.topic].append(voice)
    found: list[Lesson] = []
    dropped: Counter[str] = Counter()
    for said in topics.values():
        lesson, left_out = settled(said, enough)
        found += [lesson] if lesson else []
        dropped += left_out
    return found, dropped


def settled(voices: Sequence[Voice], enough: float) -> tuple[Lesson | None, Counter[str]]:
    """The lesson of one question, if there is one, and what is left out for which reason."""
    dropped: Counter[str] = Counter()
    if reviewed := [voice for voice in voices if voice.origin == "annotated"]:
        dropped["overruled"] = len(voices) - len(reviewed)
        voices, enough = reviewed, 1.0
    counted = once(voices)
    scores: dict[str, float] = defaultdict(float)
    for voice in counted:
        scores[same(voice.text)] += voice.weight
    liked = sorted((text for text in scores if scores[text] >= enough), key=lambda t: -scores[t])
    wrong = {text for text in scores if scores[text] <= -enough}
    if len(liked) > 1 and scores[liked[0]] == scores[liked[1]]:
        dropped["contradiction"] += len(liked)
        return None, +dropped
    if not liked and not wrong:
        gainsaid = any(v.weight >= 1 for v in counted) and any(v.weight <= -1 for v in counted)
        dropped["contradiction" if gainsaid else "undecided"] += 1
        return None, +dropped
    dropped["outvoted"] = len(liked[1:])
    return made(voices, liked, wrong), +dropped


def once(voices: Sequence[Voice]) -> list[Voice]:
    """What each person holds at last: one text for the answer, and any number for wrong ones.

    To put a text in the place of another is one opinion, not two.
    """
    last: dict[tuple[object, str], Voice] = {}
    for voice in voices:
        last[voice.who, same(voice.text)] = voice
    best: dict[object, Voice] = {}
    for voice in last.values():
        held = best.get(voice.who)
        if voice.weight > 0 and (held is None or meant(voice) > meant(held)):
            best[voice.who] = voice
    against = [
        voice
        for voice in last.values()
        if voice.weight < 0
        and (voice.who not in best or same(voice.text) not in map(same, best[voice.who].instead))
    ]
    return [*best.values(), *against]


def meant(voice: Voice) -> tuple[float, object]:
    """By what one of a person's opinions goes before another: the clearer, then the later."""
    return voice.weight, voice.at


def made(voices: Sequence[Voice], liked: Sequence[str], wrong: set[str]) -> Lesson:
    """The lesson that the texts come to, in the words of whoever said it first."""
    answer = liked[0] if liked else None
    for_it = [v for v in voices if v.weight > 0 and same(v.text) == answer]
    against = [v for v in voices if same(v.text) in wrong]
    instead = (text for voice in for_it for text in voice.instead)
    rejected = {
        same(text): text
        for text in (*instead, *(v.text for v in against))
        if text and same(text) not in liked
    }
    first = for_it or against
    told = [*for_it, *against]
    spelled = {same(voice.text): voice.text for voice in reversed(for_it)}
    return Lesson(
        givens=tuple({v.given.id: v.given for v in told}.values()),
        response=None if answer is None else spelled[answer],
        rejected=tuple(rejected.values()),
        origin=first[0].origin,
        intent=next((v.intent for v in told if v.intent), None),
        support=tuple(dict.fromkeys(id for v in for_it for id in v.support)),
        judgements=tuple(v.source for v in told if v.source),
    )


def answerable(lesson: Lesson) -> bool:
    """Whether a lesson says that there is an answer."""
    return lesson.response != NOTHING
