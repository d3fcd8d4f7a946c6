"""How much one person may say: a burst of judgements is not a burst of opinions.

Knows nothing of what is judged, but that it was said to an answer.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from noria.loop.feedback.given import Given
from noria.tune.data.alike import same
from noria.types import Feedback

Person = tuple[str, str]  # tenant and user


@dataclass(frozen=True, slots=True)
class Caps:
    """How many judgements of one person count.

    ``a_day``: of one day, the first ones. ``share``: of all, but ``few`` at least, since where a
    handful of people judge, each of them has a large share.
    """

    a_day: int = 20  # one every twenty minutes of a working day
    share: float = 0.1  # ten people would have to conspire to say all
    few: int = 20


def person(judged: Feedback, given: Given) -> Person:
    """Who judged: whoever is named, else whoever asked; all that nobody names are one person."""
    return judged.tenant, judged.user or given.user or ""


def capped(
    judgements: Iterable[Feedback], answers: Mapping[str, Given], caps: Caps
) -> tuple[list[Feedback], Counter[str]]:
    """The judgements that count, in their order, and how many do not, by reason.

    Those of unknown answers are left out first. A text that one person wrote to several questions
    counts once.
    """
    dropped: Counter[str] = Counter()
    kept: list[tuple[Person, Feedback]] = []
    days: Counter[tuple[Person, date]] = Counter()
    wrote: dict[tuple[Person, str], str] = {}
    for judged in judgements:
        given = answers.get(judged.answer)
        if given is None:
            dropped["unknown answer"] += 1
            continue
        who = person(judged, given)
        if judged.kind == "correction" and (text := same(judged.text or "")):
            question = same(given.question)
            if wrote.setdefault((who, text), question) != question:
                dropped["repeated"] += 1
                continue
        days[who, judged.at.date()] += 1
        if days[who, judged.at.date()] > caps.a_day:
            dropped["burst"] += 1
            continue
        kept.append((who, judged))
    room = allowed(Counter(who for who, _ in kept), caps)
    counted: list[Feedback] = []
    said: dict[Person, int] = defaultdict(int)
    for who, judged in kept:
        said[who] += 1
        if said[who] <= room[who]:
            counted.append(judged)
        else:
            dropped["burst"] += 1
    return counted, dropped


def allowed(said: Mapping[Person, int], caps: Caps) -> dict[Person, int]:
    """How many judgements of each person count.

    Measured against those of others: their own would raise the cap.

    >>> allowed({("t", "ada"): 900, ("t", "ben"): 900}, Caps(share=0.5, few=10))
    {('t', 'ada'): 900, ('t', 'ben'): 900}
    >>> allowed({("t", "ada"): 900, ("t", "ben"): 100}, Caps(share=0.2, few=10))
    {('t', 'ada'): 25, ('t', 'ben'): 225}
    """
    whole = sum(said.values())
    rate = caps.share / (1 - caps.share)
    return {who: max(caps.few, int(rate * (whole - times))) for who, times in said.items()}
