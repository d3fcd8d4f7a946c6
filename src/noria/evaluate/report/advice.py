"""Says what to do about a comparison: retrieve, tune, both, neither, or ask more questions.

Every claim carries its numbers, and no difference is claimed whose interval contains zero. The
number of questions stands in the first sentence, and again where it differs. Reads a comparison;
measures nothing.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from noria.evaluate.questions import READING
from noria.evaluate.report import forgot
from noria.evaluate.report.choose import (
    as_named,
    asked,
    beats,
    between,
    candidates,
    cheaper,
    cheapest,
    choice,
    is_gold,
    is_tuned,
    leader,
    likeliest,
    mean,
    no_better,
    outsiders,
    primary,
    relevant,
    retrieves,
    rivals,
    seconds,
    settled,
    tokens,
)
from noria.evaluate.report.failures import ANSWERED, MISREAD, NOT_FOUND, WORDY
from noria.evaluate.report.figures import change, count, duration, figure, rounded_up, span
from noria.evaluate.results import Comparison, Gap

FEWEST = 20  # questions below which no interval can be trusted
GOOD, LOW = 0.8, 0.3  # of metrics that mean the same everywhere
BOUNDED = {"em", "f1", "accuracy", "macro_f1"}  # metrics where 1 can be reached
BESIDE = {
    "retrieval": frozenset({"ndcg@10", "recall@10", "mrr@10", "map"}),
    "the variety of answers": frozenset({"distinct2", "self_bleu"}),
    "citations": frozenset({"grounded", "citation_recall", "citation_precision"}),
    "abstaining": frozenset({"coverage", "risk"}),
    "cost": frozenset({"tokens", "seconds"}),
}  # what can be measured without right answers
ENDLESS = 100_000  # questions that nobody will write
HOPELESS = 1e6  # times too small to be shown, whatever is asked
ACTIONS = {
    "rag": "Retrieve",
    "rag-fewshot": "Retrieve, and show examples in the prompt",
    "tuned": "Tune",
    "tuned+rag": "Do both",
    "reader": "Retrieve, with the reading adapter",
}
EFFECTS = {
    ("base", "rag"): "Retrieval",
    ("base", "tuned"): "Tuning",
    ("rag", "rag-fewshot"): "Showing examples",
    ("rag", "reader"): "The reading adapter",
    ("tuned", "tuned+rag"): "Retrieval beside tuning",
    ("rag", "tuned+rag"): "Tuning beside retrieval",
}  # the arm without, the arm with: what the difference is due to


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, and the pairs of arms whose differences it quotes."""

    text: str
    pairs: tuple[frozenset[str], ...] = ()


def advise(comparison: Comparison) -> str:
    """One paragraph of plain English; its first sentence is the ``headline``."""
    first = opening(comparison)
    if len(candidates(comparison)) < 2 or asked(comparison) < FEWEST:
        return first.text
    chosen = choice(comparison)
    told = [first, *undecided(comparison, chosen)]
    sentences = [
        *(each.text for each in told),
        *effects(comparison, {pair for each in told for pair in each.pairs}),
        *losses(comparison),
        *mistakes(comparison, chosen),
        *served(comparison, chosen),
        *cost(comparison, chosen),
        *forgot.sentences(comparison),
    ]
    return " ".join(sentences)


def headline(comparison: Comparison) -> str:
    """The answer in one sentence."""
    return opening(comparison).text


def opening(comparison: Comparison) -> Said:
    """The answer: which arm to take, or that it cannot be told."""
    arms, metric = candidates(comparison), comparison.primary
    if not any(metric in arm.metrics for arm in comparison.arms.values()) and comparison.arms:
        return Said(unjudged(comparison))
    if not arms:
        return Said(f"Nothing can be compared: no arm was measured by {metric}.")
    if len(arms) == 1:
        return Said(
            f"Only {arms[0]} was measured ({told(comparison, arms[0])}): "
            f"add an arm to compare it with."
        )
    if asked(comparison) < FEWEST:
        return Said(
            f"Not enough questions to tell: n = {asked(comparison)}, and no interval can be "
            f"trusted under {FEWEST}."
        )
    chosen = choice(comparison)
    beaten = outsiders(comparison, chosen)
    if rivals(comparison, chosen) and (chosen == "base" or not beaten):
        if settled(comparison, chosen):
            return Said(equal(comparison, chosen))
        return doubtful(comparison, chosen)
    if chosen == "base":
        return Said(
            f"{action(comparison, chosen)}: base answers best ({told(comparison, chosen)})."
        )
    return better(comparison, chosen, beaten)


def unjudged(comparison: Comparison) -> str:
    """Where the metric that decides has no question: what was measured all the same."""
    measured = {name for arm in comparison.arms.values() for name in arm.metrics}
    some = [what for what, names in BESIDE.items() if measured & names]
    listed = " and ".join([", ".join(some[:-1]), some[-1]] if len(some) > 1 else some)
    only = f"only {listed} {'were' if len(some) > 1 else 'was'}" if some else "nothing was"
    return f"No question has a right answer: {only} measured, so no arm can be called better."


def better(comparison: Comparison, arm: str, beaten: Sequence[str]) -> Said:
    """That ``arm`` is better than the best of ``beaten``, and so than all of them."""
    closest = max(beaten, key=lambda other: mean(comparison, other))
    gap = between(comparison, closest, arm)
    if gap is None:
        raise ValueError(f"{arm} and {closest} were not compared")  # or it were not beaten
    some = " and ".join(beaten) if len(beaten) < 3 else f"each of {len(beaten)} others"
    which = "" if len(beaten) == 1 else f"; the closest is {closest}"
    return Said(
        f"{action(comparison, arm)}: {arm} is better than {some}{which} "
        f"({comparison.primary} {measured(gap)}).",
        (frozenset({arm, closest}),),
    )


def doubtful(comparison: Comparison, chosen: str) -> Said:
    """Where an arm may be better than the cheapest, and may not."""
    rival = likeliest(comparison, chosen)
    gap = between(comparison, chosen, rival)
    if gap is None:
        return Said(f"Nothing can be told: {rival} and {chosen} were not compared.")
    return Said(
        f"Not enough questions to tell whether {rival} is better than {chosen}: "
        f"{comparison.primary} {measured(gap)}.",
        (frozenset({chosen, rival}),),
    )


def equal(comparison: Comparison, chosen: str) -> str:
    """Where nothing is better than the cheapest by a difference that matters."""
    figures, least = told(comparison, chosen), figure(relevant(comparison))
    absolute = comparison.primary in BOUNDED
    arms = candidates(comparison)
    highest = max(mean(comparison, arm) for arm in arms)
    if absolute and highest < LOW:
        return (
            f"Neither works: the best of {len(arms)} arms, {leader(comparison)}, reaches only "
            f"{told(comparison, leader(comparison))}, and none is better than {chosen} by "
            f"{least} or more."
        )
    if chosen == "base":
        well = absolute and mean(comparison, "base") >= GOOD
        why = "base already answers well" if well else "take base"
        return (
            f"{action(comparison, 'base')}: {why} ({figures}), and nothing else is better by "
            f"{least} or more."
        )
    return (
        f"All are equal within {least}: take the cheapest, {chosen} ({figures})."
        if not outsiders(comparison, chosen)
        else f"Take {chosen}, the cheapest ({figures}): none is better by {least} or more."
    )


def undecided(comparison: Comparison, chosen: str) -> list[Said]:
    """What cannot be told apart from the chosen arm, and how many questions would tell."""
    said = []
    close = rivals(comparison, chosen)
    if chosen != "base" and outsiders(comparison, chosen):
        gaps = {rival: between(comparison, chosen, rival) for rival in close}
        for why, some in grouped({r: drawback(comparison, r, chosen) for r in close}).items():
            named = [f"{r} ({seen(comparison, gap)})" for r in some if (gap := gaps[r])]
            if named:
                text = f"Not to be told apart from {chosen}, but {why}: {', '.join(named)}."
                said.append(Said(text, tuple(frozenset({chosen, r}) for r in some)))
    if close and not settled(comparison, chosen):
        gap = between(comparison, chosen, likeliest(comparison, chosen))
        if gap is not None:
            said.append(Said(enough(gap)))
    return said


def grouped(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """The arms of each reason.

    >>> grouped({"rag": "dearer", "reader": "dearer"})
    {'dearer': ['rag', 'reader']}
    """
    return {why: [a for a, own in reasons.items() if own == why] for why in reasons.values()}


def drawback(comparison: Comparison, rival: str, chosen: str) -> str:
    """Why ``rival``, which may be as good as the chosen arm, was not chosen."""
    if cheaper(comparison, chosen, rival):
        return "dearer"
    unproven = [
        other
        for other in candidates(comparison)
        if other not in (rival, chosen)
        and cheaper(comparison, other, rival)
        and not beats(comparison, rival, other)
    ]
    return f"not shown to be better than {unproven[0]}" if unproven else "no cheaper"


def enough(gap: Gap) -> str:
    """How many questions would tell."""
    wanted = needed(gap)
    shown = (
        f"With {count(gap.n)} questions a difference must be {figure(gap.detectable)} to show in "
        f"4 of 5 runs"
    )
    if wanted is None or wanted > ENDLESS:
        return f"{shown}; the one seen is too small to be worth the asking."
    if wanted <= gap.n:
        return f"{shown}."
    return f"{shown}; one of {figure(abs(gap.mean))} takes about {count(wanted)} questions."


def needed(gap: Gap) -> int | None:
    """Questions that would show the difference seen in 4 of 5 cases; None where none would.

    >>> needed(Gap("base", "rag", "f1", 0.05, -0.05, 0.15, n=100, detectable=0.15))
    900
    """
    if not math.isfinite(gap.mean) or abs(gap.mean) * HOPELESS <= gap.detectable:
        return None
    return rounded_up(gap.n * (gap.detectable / gap.mean) ** 2)


def effects(comparison: Comparison, quoted: Collection[frozenset[str]]) -> list[str]:
    """What retrieval, tuning and the rest do, each alone, where that was not quoted before."""
    pairs: dict[tuple[str, str], str] = dict(EFFECTS)
    known = {arm for pair in EFFECTS for arm in pair}
    pairs |= {("base", arm): arm for arm in candidates(comparison) if arm not in known}
    said = []
    for (without, with_), what in pairs.items():
        gap = between(comparison, without, with_)
        arms = [comparison.arms[each] for each in (without, with_) if each in comparison.arms]
        if gap is None or any(map(is_gold, arms)):
            continue
        if not all(map(as_named, arms)):
            what = with_  # an arm of the user's under a built-in name: it does something else
        shown = f"{with_} against {without} {seen(comparison, gap)}"
        if gap.low > 0:
            if {without, with_} not in quoted:
                said.append(f"{what} helps: {shown}.")
        elif gap.high < 0:
            said.append(f"{what} hurts here: {shown}.")
        elif no_better(comparison, gap):
            least = figure(relevant(comparison))
            said.append(f"{what} does not help here, or by less than {least}: {shown}.")
        elif {without, with_} not in quoted:
            said.append(f"Whether {lower(what)} helps cannot be told: {shown}.")
    return said


def losses(comparison: Comparison) -> list[str]:
    """Whether what is missing is lost in finding the passages, or in reading them."""
    gap = between(comparison, "rag", "oracle")  # of the same model
    if not all(as_named(comparison.arms[n]) for n in ("rag", "oracle") if n in comparison.arms):
        return []
    if gap is None or comparison.about.get("task", "qa") not in READING:
        return []
    perfect = mean(comparison, "oracle")
    absolute = comparison.primary in BOUNDED
    least, left = relevant(comparison), 1 - perfect if absolute else 0.0
    told = (
        f"with the gold passage the same model reaches {comparison.primary} {figure(perfect)} "
        f"({seen(comparison, gap)} against rag)"
    )
    kinds = blamed(comparison.arms["rag"].errors)
    reader = "a better generator, or tuning it to read, will help more than a better index"
    errors = comparison.arms["rag"].errors
    unfound = errors.get(NOT_FOUND, 0) - errors.get(MISREAD, 0)
    if gap.beyond_chance and gap.mean >= max(least, left / 2):
        if unfound < 0:
            return [
                f"The passages are found, but overlooked among others: {told}{kinds}; rank "
                f"better and show fewer, or tune the model to read among others."
            ]
        return [f"The passages are not found: {told}{kinds}; improve retrieval first."]
    if gap.high < 0:
        return [f"Check the gold passages: {told}."]
    if absolute and perfect >= GOOD:
        return []
    if gap.low > least:
        return [f"Finding and reading both lose, reading more: {told}{kinds}; {reader}."]
    if gap.high >= max(least, left / 2):
        return [f"Whether finding or reading loses more cannot be told: {told}{kinds}."]
    barely = "barely better" if gap.low > 0 else "no better"
    if not absolute:
        return [f"A better index would gain little: {told}, {barely}{kinds}."]
    enough = "Finding the passages is not enough"
    what = enough if unfound > 0 else "The passages are found but misread"
    return [f"{what}: {told}, {barely}{kinds}; {reader}."]


def blamed(errors: Mapping[str, int]) -> str:
    """What the sorted errors say of it."""
    wrong = sum(errors.values())
    if not wrong or not (errors.get(NOT_FOUND) or errors.get(MISREAD)):
        return ""
    return (
        f"; of rag's {count(wrong)} wrong answers {errors.get(NOT_FOUND, 0)} had no passage that "
        f"holds the answer, and {errors.get(MISREAD, 0)} misread one that does"
    )


def mistakes(comparison: Comparison, chosen: str) -> list[str]:
    """What else goes wrong often with the chosen arm, and what to do about it."""
    errors = comparison.arms[chosen].errors
    wrong = sum(errors.values())
    if not wrong:
        return []
    said = []
    wordy, answered = errors.get(WORDY, 0), errors.get(ANSWERED, 0)
    if 3 * wordy >= wrong:  # a third: worth the effort
        said.append(
            f"{wordy} of its {wrong} wrong answers hold the right one inside a longer text: ask "
            f"for short answers, show examples, or tune."
        )
    # measured where it tells a confidence, and some questions have no answer
    unsure = "auroc_answerable" in comparison.arms[chosen].metrics
    if unsure and 3 * answered >= wrong:
        said.append(
            f"{answered} of its {wrong} wrong answers are to questions that have no answer, or of "
            f"which nobody knows where it stands: let it abstain below a threshold of confidence."
        )
    return said


def served(comparison: Comparison, chosen: str) -> list[str]:
    """Where the chosen arm is worse than elsewhere, beyond chance."""
    worse = [each for each in comparison.arms[chosen].slices if each.worse]
    worse.sort(key=lambda each: each.here.mean - each.rest.mean)
    named = [
        f"{each.field} = {each.value} ({each.metric} {figure(each.here.mean)} against "
        f"{figure(each.rest.mean)}, "
        f"{change(each.here.mean - each.rest.mean, each.low, each.high)}, n = {each.here.n})"
        for each in worse[:2]
    ]
    more = f", and {len(worse) - 2} more" if len(worse) > 2 else ""
    return [f"Some are served worse by {chosen}: {'; '.join(named)}{more}."] if named else []


def cost(comparison: Comparison, chosen: str) -> list[str]:
    """What the chosen arm costs a question beside the cheapest other, and its training."""
    others = [arm for arm in candidates(comparison) if arm != chosen]
    other = "base" if "base" in others else cheapest(comparison, others)
    mine, theirs = comparison.arms[chosen], comparison.arms[other]
    training = mine.training_seconds
    said = (
        f"Cost: {chosen} reads and writes {count(tokens(mine))} tokens a question in "
        f"{duration(seconds(mine))}, {other} {count(tokens(theirs))} in {duration(seconds(theirs))}"
    )
    said += f"; its training took {duration(training)}." if training else "."
    gap = between(comparison, other, chosen)
    if gap is not None and gap.beyond_chance and 0 < gap.high < relevant(comparison):
        said += (
            f" The gain is small ({seen(comparison, gap)}), under {figure(relevant(comparison))}: "
            f"{other} may do."
        )
    return [said]


def action(comparison: Comparison, arm: str) -> str:
    """What to do if ``arm`` is the one to take; of what was not tried nothing is said."""
    chosen = comparison.arms[arm]
    if arm != "base" or not as_named(chosen):
        return ACTIONS.get(arm, f"Take {arm}") if as_named(chosen) else f"Take {arm}"
    others = [comparison.arms[each] for each in candidates(comparison)]
    reading, tuning = any(map(retrieves, others)), any(map(is_tuned, others))
    if reading and tuning:
        return "Neither retrieve nor tune"
    return "Do not retrieve" if reading else "Do not tune" if tuning else "Keep base"


def told(comparison: Comparison, arm: str) -> str:
    """The primary metric of an arm in words."""
    of = primary(comparison, arm)
    return f"{comparison.primary} {figure(of.mean)} {span(of.low, of.high)}, n = {of.n}"


def measured(gap: Gap) -> str:
    """A difference in words."""
    return f"{change(gap.mean, gap.low, gap.high)}, n = {gap.n}"


def seen(comparison: Comparison, gap: Gap) -> str:
    """A difference in words, without the number of questions where the first sentence has it."""
    return measured(gap) if gap.n != asked(comparison) else measured(gap).split(", n = ")[0]


def lower(what: str) -> str:
    """As it stands inside a sentence."""
    return what[0].lower() + what[1:] if what in EFFECTS.values() else what
