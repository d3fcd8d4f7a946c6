"""How often the paired test says "beyond chance" of two arms that do not differ, and that do.

Pairs of arms are drawn from distributions in which the true difference is zero: 0/1 metrics of
which few questions differ, values like F1 (many 0 and 1), skewed ones, and figures that are no
mean. For each the share of simulations in which the interval leaves zero out (at 95 %: ideally
0.05), for the intervals of ``noria.evaluate.statistics``, for the plain percentile bootstrap of
the same resamples, and for the paired t-test. Then the same where the second arm is better: on
some questions, taken by chance, it is no longer worse than the first, so many that the true
difference is 2.8 standard errors (or all, where that does not suffice).

    python benchmarks/type_one.py [--simulations 5000] [--questions 50 200 1000]

Some minutes on one core; ``--others`` adds the figures that are no mean, about half an hour.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

import _common
from noria.evaluate.statistics.intervals import Measure, gaps, mean_of, resamples

Values = NDArray[np.float64]
Random = np.random.Generator
Pairs = tuple[Values, Values]  # arm a and arm b, shape (questions, simulations)
BATCH = 250  # simulations that share their resamples
SHIFT = 2.8  # standard errors: of normal differences a t-test sees 80 %


def discordant(share: float) -> Callable[[Random, int, int], Pairs]:
    """A 0/1 metric on which the arms differ in ``share`` of the questions."""

    def drawn(rng: Random, n: int, times: int) -> Pairs:
        a = (rng.random((n, times)) < 0.5).astype(float)
        flips = rng.random((n, times)) < share
        return a, np.where(flips, 1 - a, a)

    return drawn


def f1(same: float) -> Callable[[Random, int, int], Pairs]:
    """Values like F1: 30 % are 0, 40 % are 1; a share of the questions is answered the same."""

    def one(rng: Random, n: int, times: int) -> Values:
        kind = rng.random((n, times))
        return np.where(kind < 0.3, 0.0, np.where(kind < 0.7, 1.0, rng.beta(2, 2, (n, times))))

    def drawn(rng: Random, n: int, times: int) -> Pairs:
        a = one(rng, n, times)
        return a, np.where(rng.random((n, times)) < same, a, one(rng, n, times))

    return drawn


def terse_and_wordy(rng: Random, n: int, times: int) -> Pairs:
    """One arm is right or wrong (a quarter right), the other always partly right: skewed."""
    return (rng.random((n, times)) < 0.25).astype(float), rng.beta(2, 6, (n, times))


def rare_gain(rng: Random, n: int, times: int) -> Pairs:
    """Few large gains (15 %) outweighed by many small losses: skewed."""
    gain = rng.random((n, times)) < 0.15
    loss = 0.8 * rng.beta(1, 3, (n, times))
    a = np.where(gain, 0.0, loss)
    return a, np.where(gain, 0.2 * 0.85 / 0.15, 0.0)  # the mean loss is 0.2


def sparse_gain(rng: Random, n: int, times: int) -> Pairs:
    """Most questions tie, 6 % gain 1, 24 % lose a quarter: sparse and skewed."""
    kind = rng.random((n, times))
    return np.where((kind > 0.06) & (kind < 0.3), 0.25, 0.0), np.where(kind < 0.06, 1.0, 0.0)


def exponential(rng: Random, n: int, times: int) -> Pairs:
    """One arm constant, the other exponential: skewness 2."""
    return np.ones((n, times)), rng.exponential(1, (n, times))


def lognormal(rng: Random, n: int, times: int) -> Pairs:
    """One arm constant, the other lognormal: skewness 6, harder than any metric of answers."""
    return np.full((n, times), np.exp(0.5)), np.exp(rng.normal(0, 1, (n, times)))


def seconds(rng: Random, n: int, times: int) -> Pairs:
    """Both lognormal: heavy tails on both sides."""
    return np.exp(rng.normal(0, 1, (n, times))), np.exp(rng.normal(0, 1, (n, times)))


def normal(rng: Random, n: int, times: int) -> Pairs:
    """Where the t-test is exact."""
    return rng.normal(size=(n, times)), rng.normal(size=(n, times))


MEANS: dict[str, Callable[[Random, int, int], Pairs]] = {
    "0/1, 5 % discordant": discordant(0.05),
    "0/1, 20 % discordant": discordant(0.2),
    "0/1, 40 % discordant": discordant(0.4),
    "F1-like, 60 % the same": f1(0.6),
    "F1-like, 90 % the same": f1(0.9),
    "skewed: terse against wordy": terse_and_wordy,
    "skewed: rare gains": rare_gain,
    "skewed: sparse gains": sparse_gain,
    "skewed: exponential": exponential,
    "skewed: lognormal": lognormal,
    "heavy tails": seconds,
    "normal": normal,
}


def macro_f1(rng: Random, n: int) -> tuple[Measure, Measure]:
    """Five labels of unequal size, each arm right in 70 % of the questions."""
    size = 5
    gold = rng.choice(size, n, p=[0.4, 0.25, 0.15, 0.12, 0.08])

    def arm() -> Measure:
        said = np.where(rng.random(n) < 0.7, gold, rng.choice(size, n))
        labels = np.arange(size)
        right = ((said == gold)[:, None] & (gold[:, None] == labels)).astype(float)
        both = (said[:, None] == labels).astype(float) + (gold[:, None] == labels)

        def figure(counts: Values) -> Values:
            total = counts @ both
            return np.asarray((2 * (counts @ right) / np.where(total > 0, total, 1)).mean(axis=1))

        return Measure(figure)

    return arm(), arm()


def auroc(rng: Random, n: int) -> tuple[Measure, Measure]:
    """Two confidences that tell right from wrong answers equally well."""
    right = rng.random(n) < 0.6
    shared = rng.normal(size=n)

    def arm() -> Measure:
        order = np.argsort(right * 1.0 + 0.5 * shared + rng.normal(size=n))
        up = right[order].astype(float)

        def figure(counts: Values) -> Values:
            placed = counts[:, order]
            below = np.cumsum(placed * (1 - up), axis=1)
            wins = (placed * up * below).sum(axis=1)
            pairs = below[:, -1] * (placed @ up)
            return np.where(pairs > 0, wins / np.where(pairs > 0, pairs, 1), np.nan)

        return Measure(figure)

    return arm(), arm()


def bleu(rng: Random, n: int) -> tuple[Measure, Measure]:
    """A geometric mean of four ratios of sums, as BLEU is one."""
    words = rng.integers(5, 40, n)
    easy = rng.beta(4, 2, n)

    def arm() -> Measure:
        total = np.stack([np.maximum(words - i, 1) for i in range(4)], axis=1)
        hits = np.stack([rng.binomial(total[:, i], easy ** (i + 1)) for i in range(4)], axis=1)
        both = np.concatenate([hits, total], axis=1).astype(float)

        def figure(counts: Values) -> Values:
            sums = counts @ both
            shares = np.maximum(sums[:, :4], 0.5) / sums[:, 4:]
            return np.asarray(np.exp(np.log(shares).mean(axis=1)))

        return Measure(figure)

    return arm(), arm()


OTHERS: dict[str, Callable[[Random, int], tuple[Measure, Measure]]] = {
    "macro-F1": macro_f1,
    "AUROC": auroc,
    "BLEU-like": bleu,
}


def means(
    draw: Callable[[Random, int, int], Pairs], n: int, times: int, shift: float = 0.0
) -> dict[str, float]:
    """The share of simulations in which each method leaves zero out.

    ``b`` is better by ``shift`` standard errors of a large sample's mean.
    """
    mended = mending(draw, shift / np.sqrt(n))
    rng = np.random.default_rng([_common.SEED, n])
    outside = {"noria": 0, "percentile": 0, "student": 0}
    edge = float(stdtrit(n - 1, 0.975))
    for _ in range(times // BATCH):
        a, b = draw(rng, n, BATCH)
        b = np.where(rng.random(a.shape) < mended, np.maximum(a, b), b)
        seed = int(rng.integers(2**32))
        arms = ({str(i): mean_of(arm[:, i]) for i in range(BATCH)} for arm in (a, b))
        found = gaps(*arms, n, np.random.default_rng(seed))
        outside["noria"] += sum(low > 0 or high < 0 for _, low, high in found.values())
        apart = b - a
        drawn = [counts @ apart / n for counts in resamples(n, np.random.default_rng(seed))]
        low, high = np.percentile(np.concatenate(drawn), [2.5, 97.5], axis=0)
        outside["percentile"] += int(((low > 0) | (high < 0)).sum())
        error = apart.std(axis=0, ddof=1) / np.sqrt(n)
        outside["student"] += int((np.abs(apart.mean(axis=0)) > edge * error).sum())
    return {name: count / (times // BATCH * BATCH) for name, count in outside.items()}


def mending(draw: Callable[[Random, int, int], Pairs], wanted: float) -> float:
    """The share of questions to mend for a mean difference of ``wanted`` standard deviations."""
    a, b = draw(np.random.default_rng(5), 1_000_000, 1)
    lost = np.maximum(a - b, 0)
    share = np.linspace(0, 1, 1001)
    mean = (b - a).mean() + share * lost.mean()
    square = ((b - a) ** 2).mean() - share * (lost**2).mean()
    enough = mean >= wanted * np.sqrt(square - mean**2)
    return float(share[np.argmax(enough)]) if enough.any() and wanted else float(wanted > 0)


def others(
    draw: Callable[[Random, int], tuple[Measure, Measure]], n: int, times: int
) -> dict[str, float]:
    """``means`` for a figure that is none."""
    rng = np.random.default_rng([_common.SEED, n])
    outside = {"noria": 0, "percentile": 0}
    for _ in range(times // BATCH):
        pairs = [draw(rng, n) for _ in range(BATCH)]
        seed = int(rng.integers(2**32))
        arms = ({str(i): pair[side] for i, pair in enumerate(pairs)} for side in (0, 1))
        found = gaps(*arms, n, np.random.default_rng(seed))
        outside["noria"] += sum(low > 0 or high < 0 for _, low, high in found.values())
        apart = [
            np.stack([b.figure(counts) - a.figure(counts) for a, b in pairs], axis=1)
            for counts in resamples(n, np.random.default_rng(seed))
        ]
        low, high = np.nanpercentile(np.concatenate(apart), [2.5, 97.5], axis=0)
        outside["percentile"] += int(((low > 0) | (high < 0)).sum())
    return {name: count / (times // BATCH * BATCH) for name, count in outside.items()}


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=5000, help="a multiple of 250")
    parser.add_argument("--questions", type=int, nargs="+", default=[50, 200, 1000])
    parser.add_argument("--only", default="", help="only distributions whose names begin with this")
    parser.add_argument("--others", action="store_true", help="also figures that are no mean")
    given = parser.parse_args()
    table: dict[str, Any] = {"type_one": {}, "power": {}}

    def told(kind: str, name: str, n: int, found: dict[str, float]) -> None:
        _common.tell(f"{kind:9} {name:28} n={n:<5} {found}")
        table[kind].setdefault(name, {})[str(n)] = found

    for n in given.questions:
        for name, draw in MEANS.items():
            if name.startswith(given.only):
                told("type_one", name, n, means(draw, n, given.simulations))
                told("power", name, n, means(draw, n, given.simulations, SHIFT))
        for name, other in OTHERS.items():
            if given.others and name.startswith(given.only):
                told("type_one", name, n, others(other, n, given.simulations))
    _common.show({"simulations": given.simulations, **table})


if __name__ == "__main__":
    main()
