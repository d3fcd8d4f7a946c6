"""Picks some questions that stand for all of them.

A larger sample holds the smaller one, so that what was asked for a small budget is not asked anew
for a large one.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import islice

from noria.errors import UsageError
from noria.evaluate.questions import Question

Key = Callable[[Question], str]


def stratified(questions: Sequence[Question], n: int, seed: int = 0) -> tuple[Question, ...]:
    """``n`` of the questions, in their order; all of them, if there are no more.

    Of each stratum (task, unanswerable or not, label), there are as many as its share of all,
    rounded up or down. Within a stratum, the slices and the documents are represented as evenly
    as chance and the numbers allow. Ids must be unique; raises UsageError for a negative ``n``.

    >>> sky = [Question(str(i), "Why?", unanswerable=i >= 6) for i in range(9)]
    >>> Counter(question.unanswerable for question in stratified(sky, 3))
    Counter({False: 2, True: 1})
    """
    if n < 0:
        raise UsageError(f"a sample of {n} questions; expected 0 or more")
    chosen = {question.id for question in islice(by_importance(questions, seed), n)}
    return tuple(question for question in questions if question.id in chosen)


def by_importance(questions: Sequence[Question], seed: int = 0) -> Iterator[Question]:
    """All questions, in an order each of whose beginnings is a stratified sample.

    Ask in this order, and the answers stand for all questions whenever time runs out.
    """
    strata = grouped(questions, stratum(questions))
    names = sorted(strata)
    members = [iter(spread(strata[name], within(strata[name]), seed)) for name in names]
    sizes = [len(strata[name]) for name in names]
    for place in apportioned(sizes, [chance(seed, name) for name in names]):
        yield next(members[place])


def stratum(questions: Sequence[Question]) -> Key:
    """What tells the strata apart: the task, whether it can be answered, and the label.

    An answer is a label if other questions have the same choices.
    """
    shared = {c for c, times in Counter(q.choices for q in questions).items() if c and times > 1}

    def name(question: Question) -> str:
        labelled = question.task in ("classification", "choice") and question.choices in shared
        label = question.answers[:1] if labelled else ()
        return repr((question.task, question.unanswerable, label))

    return name


def within(questions: Sequence[Question]) -> list[Key]:
    """What else is spread evenly: slices, those of few values first, and at last documents."""
    values: dict[str, set[str]] = defaultdict(set)
    for question in questions:
        for name, value in question.slice.items():
            values[name].add(value)
    coarse_first = sorted(values, key=lambda name: (len(values[name]), name))

    def of_slice(name: str) -> Key:
        return lambda question: repr(question.slice.get(name))

    return [*map(of_slice, coarse_first), lambda question: repr(question.documents[:1])]


def spread(questions: Sequence[Question], keys: Sequence[Key], seed: int) -> list[Question]:
    """The questions in an order in which those of one group come at even distances.

    Each group starts at random: otherwise the large groups would come first in every stratum,
    and a sample of few from each would hold none of the small ones.
    """
    if not keys or len(questions) < 2:
        return sorted(questions, key=lambda question: chance(seed, question.id))
    key, *rest = keys
    places = []
    for name, group in grouped(questions, key).items():
        # of a question, not of the name: the same group of two strata must not start alike
        start = chance(seed, name + min(question.id for question in group))
        for at, question in enumerate(spread(group, rest, seed)):
            places.append(((at + start) / len(group), question.id, question))
    return [question for _, _, question in sorted(places, key=lambda place: place[:2])]


def apportioned(sizes: Sequence[int], ties: Sequence[float]) -> Iterator[int]:
    """Strata by their place in ``sizes``, each as often as its size, always near its share.

    Among the first n, each is found as often as n times its share, rounded up or down: the quota
    method of Balinski and Young (1975). Largest remainders keep to that, too, but there a larger
    n may give a stratum less. ``ties`` decide between strata that are due at once.

    >>> list(apportioned([1, 4], [0.1, 0.2]))
    [1, 1, 1, 0, 1]
    """
    total, taken = sum(sizes), [0] * len(sizes)
    waiting = [(1, place) for place, size in enumerate(sizes) if size]  # from which n on
    due: list[tuple[float, float, int]] = []  # n by which it must be taken, over total
    for n in range(1, total + 1):
        while waiting and waiting[0][0] <= n:
            _, place = heappop(waiting)
            heappush(due, ((taken[place] + 1) / sizes[place], ties[place], place))
        _, _, place = heappop(due)
        taken[place] += 1
        if taken[place] < sizes[place]:
            heappush(waiting, (taken[place] * total // sizes[place] + 1, place))
        yield place


def grouped(questions: Sequence[Question], key: Key) -> Mapping[str, list[Question]]:
    """The questions by a key."""
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        groups[key(question)].append(question)
    return groups


def chance(seed: int, name: str) -> float:
    """A number in [0, 1), always the same: what stands beside a question does not change it.

    >>> chance(0, "q1") == chance(0, "q1") != chance(1, "q1")
    True
    """
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
