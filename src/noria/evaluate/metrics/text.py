"""Compares what an arm said with the right answers, word by word.

Exact match and F1 as SQuAD's own scripts compute them, ROUGE as rouge-score does, and the F1 of
names and numbers. Knows one question at a time.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence

from noria.answer.grounding import names, numbers
from noria.answer.sentences import sentences
from noria.evaluate.records import Record
from noria.words import FALLBACK, PAIRED, stops

ARTICLES = re.compile(r"\b(?:a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
# rouge-score keeps runs of a-z and 0-9. So does this in ASCII; beyond, letters are letters, and
# scripts without spaces count by the character, where rouge-score would see nothing.
TOKEN = re.compile(rf"[^\W_{PAIRED}]+|[{PAIRED}]")
ENDING = re.compile(r"[.!?]\W*$")


def said(record: Record) -> str:
    """What the arm answered: nothing where it abstained or failed."""
    return "" if record.abstained or record.error is not None else record.answer


def silent(record: Record) -> bool:
    """Whether the arm chose to give no answer; a failure is no choice."""
    return record.error is None and not said(record).strip()


def normalized(text: str) -> str:
    """As SQuAD compares answers: no capitals, ASCII punctuation, articles or extra spaces.

    >>> normalized("The  U.S.A.")
    'usa'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def right(answers: Iterable[str]) -> list[str]:
    """The normalised right answers; without any that has words, to say nothing is right."""
    return [text for answer in answers if (text := normalized(answer))] or [""]


def exact(answer: str, answers: Iterable[str]) -> float:
    """1 if the answer equals a right one after normalisation, else 0.

    >>> exact("The Seine.", ["Seine", "river Seine"])
    1.0
    """
    return float(normalized(answer) in right(answers))


def f1(answer: str, answers: Iterable[str]) -> float:
    """F1 of the words shared with the right answer that fits best.

    >>> f1("in Paris, France", ["Paris"])
    0.5
    """
    given = normalized(answer).split()
    return max(overlap(given, each.split()) for each in right(answers))


def overlap(given: Sequence[object], gold: Sequence[object]) -> float:
    """F1 of two multisets; of two empty ones 1."""
    if not given or not gold:
        return float(not given and not gold)
    shared = sum((Counter(given) & Counter(gold)).values())
    return harmonic(shared / len(given), shared / len(gold))


def harmonic(precision: float, recall: float) -> float:
    """F1; 0 where both are."""
    total = precision + recall
    return 2 * precision * recall / total if total > 0 else 0.0


def tokens(text: str) -> list[str]:
    """The words that ROUGE compares; they are not stemmed.

    >>> tokens("It's naïve: 水車!")
    ['it', 's', 'naïve', '水', '車']
    """
    return TOKEN.findall(text.lower())


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Runs of ``n`` words.

    >>> ngrams(["a", "b", "c"], 2)
    [('a', 'b'), ('b', 'c')]
    """
    return [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]


def rouge(answer: str, answers: Iterable[str], n: int) -> float:
    """ROUGE-N, the F1 of runs of ``n`` words, with the right answer that fits best.

    >>> rouge("a wheel lifts water", ["the wheel lifts water"], 2)
    0.6666666666666666
    """
    given = ngrams(tokens(answer), n)
    golds = [ngrams(tokens(each), n) for each in answers]
    return max(overlap(given, gold) if given and gold else 0.0 for gold in golds)


def rouge_l(answer: str, answers: Iterable[str]) -> float:
    """ROUGE-L, the F1 of the longest common subsequence, with the right answer that fits best.

    >>> rouge_l("wheels lift the water", ["the wheels water"])
    0.5714285714285715
    """
    given = tokens(answer)
    golds = [tokens(each) for each in answers]
    return max(subsequence(given, gold) if given and gold else 0.0 for gold in golds)


def subsequence(given: Sequence[str], gold: Sequence[str]) -> float:
    """F1 of the longest common subsequence of two sequences that are not empty."""
    length = longest(given, gold)
    return harmonic(length / len(given), length / len(gold))


def longest(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    Bit by bit (Hyyrö 2004): a row of the usual table is one integer, whose zeros are its steps.

    >>> longest("abcbdab", "bdcaba")
    4
    """
    at: dict[str, int] = {}
    for place, word in enumerate(one):
        at[word] = at.get(word, 0) | 1 << place
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        matched = row & at.get(word, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(one) - row.bit_count()


def entities(text: str, also: frozenset[str] = frozenset()) -> Counter[str]:
    """The names and numbers of a text, without capitals.

    The first word of a statement is capitalised anyway: it counts only if ``also`` has it. What
    has no full stop, or no small word ("Apple Inc."), is no statement but a name as it stands.

    >>> sorted(entities("The Seine flows to Paris. It is 777 km long."))
    ['777', 'paris', 'seine']
    >>> sorted(entities("Denver Broncos"))
    ['broncos', 'denver']
    """
    found = Counter(numbers(text))
    statement = bool(ENDING.search(text)) and any(word[0].islower() for word in text.split())
    for start, end in sentences(text):
        # a word in front: what comes first would not be taken for a name
        named = [name.casefold() for name in names(f"of {text[start:end]}")]
        first = text[start:end].casefold().lstrip("\"'([\u201c\u2018*")
        for place, name in enumerate(named):
            leads = place == 0 and first.startswith(name)
            if not leads or name in also or not (statement or stops(name, FALLBACK)):
                found[name] += 1
    return found


def entity_f1(answer: str, answers: Iterable[str]) -> float:
    """F1 of names and numbers, each as often as it is there, with the best right answer.

    Only right answers that have any are compared; there must be one.

    >>> entity_f1("Paris has 2 bridges of Eiffel.", ["Eiffel built 3 in Paris"])
    0.6666666666666666
    """
    golds = [gold for each in answers if (gold := entities(each))]
    return max(
        overlap(list(entities(answer, frozenset(gold)).elements()), list(gold.elements()))
        for gold in golds
    )
