"""chrF and BLEU of a whole set of translations, as sacrebleu computes them: 0 to 100.

Both are computed of sums over sentences, so that a draw of the bootstrap sums again and reads no
text twice.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from noria.evaluate.statistics.intervals import Measure, Values

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric


def chrf(said: Sequence[str], right: Sequence[Sequence[str]]) -> Measure:
    """chrF2 (Popović 2015): F-score of runs of up to six characters, recall counted double."""
    from sacrebleu.metrics.chrf import CHRF

    return summed(CHRF(), said, right)


def bleu(said: Sequence[str], right: Sequence[Sequence[str]]) -> Measure:
    """BLEU (Papineni et al. 2002) of up to four words, tokenized as ``13a``, ``exp`` smoothing."""
    from sacrebleu.metrics.bleu import BLEU

    # force: sacrebleu would warn of texts that end in " .", on logging's last resort
    return summed(BLEU(force=True), said, right)


def summed(metric: "Metric", said: Sequence[str], right: Sequence[Sequence[str]]) -> Measure:
    """The figure of a sacrebleu metric, of its statistics a sentence.

    ``right``: for each text in ``said`` its right translations, one or more.
    """
    most = max(len(each) for each in right)
    # by reference, not by sentence; None, which the types do not tell, where there are fewer
    by_reference: Any = [[r[at] if at < len(r) else None for r in right] for at in range(most)]
    statistics = np.array(metric._extract_corpus_statistics(said, by_reference), dtype=np.float64)

    def figure(counts: Values) -> Values:
        totals = counts @ statistics
        return np.array([metric._compute_score_from_stats(each.tolist()).score for each in totals])

    return Measure(figure)


def sentence_chrf(said: str, right: Sequence[str]) -> float:
    """ChrF of one translation, 0 to 100.

    >>> sentence_chrf("ein Rad", ["ein Rad"])
    100.0
    """
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().sentence_score(said, right).score)
