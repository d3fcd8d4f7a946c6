"""How much the answers of an arm differ from one another. Knows no right answers."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noria.evaluate.metrics.partial import ratio
from noria.evaluate.metrics.text import ngrams, tokens
from noria.evaluate.statistics.intervals import Measure, mean_of

SAMPLE = 100  # answers compared with one another: the work grows with the square


def distinct(answers: Sequence[str], n: int = 2) -> Measure:
    """The share of all runs of ``n`` words that are different ones (Li et al. 2016).

    Each occurrence counts 1 through how often its run occurs in all answers. The sum over answers
    is the number of different runs; a draw that repeats an answer does not seem less diverse.

    >>> figure = distinct(["a b c", "a b d"]).figure  # ab, bc, ab, bd
    >>> float(figure(np.ones((1, 2)))[0])
    0.75
    """
    runs = [ngrams(tokens(answer), n) for answer in answers]
    often = Counter(run for each in runs for run in each)
    different = np.array([sum(1 / often[run] for run in each) for each in runs])
    return ratio(different, np.array([float(len(each)) for each in runs]))


def self_bleu(answers: Sequence[str]) -> Measure:
    """The mean BLEU of each answer against all others (Zhu et al. 2018), 0 to 100: 100 is alike.

    Needs at least two answers.

    >>> measure = self_bleu(["the wheel lifts the water"] * 2)
    >>> round(float(measure.figure(np.ones((1, 2)))[0]), 6)
    100.0
    """
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(effective_order=True, force=True)
    return mean_of(
        np.array([
            bleu.sentence_score(answer, [*answers[:at], *answers[at + 1 :]]).score
            for at, answer in enumerate(answers)
        ])
    )  # fmt: skip


def sampled(size: int, seed: int = 0) -> NDArray[np.intp]:
    """At most ``SAMPLE`` of the places below ``size``, in order, the same each time."""
    chosen = np.random.default_rng(seed).permutation(size)[:SAMPLE]
    return np.sort(chosen)
