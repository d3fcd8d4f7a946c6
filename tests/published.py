"""Published definitions of metrics, written down a second time and otherwise than in Noria.

Slow and plain on purpose: what the project computes is held against this. Also answers changed in
the ways in which models get them nearly right.
"""

import math
import random
import string
from collections.abc import Callable, Mapping, Sequence

Change = Callable[[str, random.Random], str]


# --- SQuAD, evaluate-v1.1.py and evaluate-v2.0.py -------------------------------------------------


def squad_words(text: str) -> list[str]:
    """Lower case, then no ASCII punctuation, then no articles, then cut at white space."""
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    marked, word = [], ""
    for c in kept + " ":  # an article is a whole word in the sense of \b: between \w and not \w
        if c.isalnum() or c == "_":
            word += c
        else:
            marked.append(" " if word in ("a", "an", "the") else word)
            marked.append(c)
            word = ""
    return "".join(marked).split()


def squad_em(answer: str, gold: str) -> float:
    """Both scripts: equal after normalisation."""
    return 1.0 if " ".join(squad_words(answer)) == " ".join(squad_words(gold)) else 0.0


def squad_f1(answer: str, gold: str) -> float:
    """Of words; of a text without any, whether the other has none either (v2.0)."""
    given, wanted = squad_words(answer), squad_words(gold)
    if not given or not wanted:
        return 1.0 if given == wanted else 0.0
    left, same = list(wanted), 0
    for word in given:
        if word in left:
            left.remove(word)
            same += 1
    if same == 0:
        return 0.0
    precision, recall = same / len(given), same / len(wanted)
    return (2 * precision * recall) / (precision + recall)


def squad(answer: str, golds: Sequence[str]) -> tuple[float, float]:
    """EM and F1: the best over the right answers; v2.0 drops those without words."""
    worded = [gold for gold in golds if squad_words(gold)] or [""]
    return max(squad_em(answer, g) for g in worded), max(squad_f1(answer, g) for g in worded)


def swapped(text: str, rng: random.Random) -> str:
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)


def put_in(what: Sequence[str]) -> Change:
    """One of ``what`` somewhere in the text, in a word or between two."""

    def change(text: str, rng: random.Random) -> str:
        at = rng.randint(0, len(text))
        return text[:at] + rng.choice(what) + text[at:]

    return change


def one_word(text: str, rng: random.Random, times: int) -> str:
    """A word of the text ``times`` times in its place."""
    words = text.split() or [""]
    at = rng.randrange(len(words))
    return " ".join([*words[:at], *[words[at]] * times, *words[at + 1 :]])


CHANGES: Mapping[str, Change] = {
    "same": lambda text, rng: text,
    "upper": lambda text, rng: text.upper(),
    "title": lambda text, rng: text.title(),
    "article": lambda text, rng: f"{rng.choice(['the', 'The', 'a', 'An', 'THE'])} {text}",
    "articles inside": put_in([" the ", " a ", " an ", "the", " the-", "a."]),
    "punctuation": put_in(list(string.punctuation)),
    "other punctuation": put_in(["\u2013", "\u201c", "\u2019", "\u2026", "\u00bf", "\u3002"]),
    "letters": put_in(["\u00e9", "e\u0301", "\u00df", "\u0130", "\u6c34", "\u00aa", "\U0001f600"]),
    "spaces": put_in(["  ", "\t", "\n", "\u00a0", "\u2009", "\u200b", "\u3000"]),
    "around": lambda text, rng: f"  {text}\n",
    "empty": lambda text, rng: rng.choice(["", " ", "the", "...", "A!", "\u00a0"]),
    "order": swapped,
    "repeated": lambda text, rng: one_word(text, rng, 2),
    "missing": lambda text, rng: one_word(text, rng, 0),
    "numbers": put_in(["1", ",000", " 3.5 ", "\u00bd", "\u0663"]),
    "sentence": lambda text, rng: f"The answer is {text}.",
    "doubled": lambda text, rng: f"{text} {text}",
    "joined": lambda text, rng: "-".join(text.split()),
    "underscore": lambda text, rng: "_".join(text.split()),
    "cut": lambda text, rng: text[: rng.randint(0, len(text))],
}


def changed(answers: Sequence[str], many: int, seed: int) -> list[str]:
    """``many`` answers, each changed in the next of the ways, some in two."""
    rng = random.Random(seed)
    kinds = list(CHANGES.values())
    found = []
    for at in range(many):
        text = kinds[at % len(kinds)](answers[at % len(answers)], rng)
        found.append(rng.choice(kinds)(text, rng) if rng.random() < 0.3 else text)
    return found


# --- trec_eval ------------------------------------------------------------------------------------


def trec_ranking(scores: Mapping[str, float]) -> list[str]:
    """By falling score, and of equal ones by falling name, as trec_eval sorts a run."""
    return sorted(sorted(scores, reverse=True), key=lambda name: -scores[name])


def trec(ranked: Sequence[str], grades: Mapping[str, int]) -> dict[str, float]:
    """Of one question: ndcg_cut_10, recall_10, recall_100, recip_rank in the first 10, and map."""
    gains = [max(0, grades.get(name, 0)) for name in ranked]
    ideal = sorted((g for g in grades.values() if g > 0), reverse=True)
    relevant = len(ideal)
    hits = [gain > 0 for gain in gains]
    first = next((at for at, hit in enumerate(hits[:10], 1) if hit), None)
    precisions = [sum(hits[:at]) / at for at, hit in enumerate(hits, 1) if hit]
    return {
        "ndcg@10": dcg(gains[:10]) / dcg(ideal[:10]) if relevant else 0.0,
        "recall@10": sum(hits[:10]) / relevant if relevant else 0.0,
        "recall@100": sum(hits[:100]) / relevant if relevant else 0.0,
        "mrr@10": 1 / first if first else 0.0,
        "map": sum(precisions) / relevant if relevant else 0.0,
    }


def dcg(gains: Sequence[int]) -> float:
    """Järvelin and Kekäläinen's, with the discount log2(place + 1) that trec_eval has."""
    return sum(gain / math.log2(at + 1) for at, gain in enumerate(gains, 1))
