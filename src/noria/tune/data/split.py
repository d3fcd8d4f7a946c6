"""Parts examples into those to learn from and those held out. Never by line.

What hangs together stays on one side: examples on one article, document or context, and prompts
that say nearly the same. So what is held out was not seen, not even in other words.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from noria.errors import UsageError
from noria.evaluate.sample import chance, stratum
from noria.evaluate.statistics.folds import connected
from noria.tune.data.alike import together
from noria.tune.data.clean import prompt_of
from noria.tune.data.repeats import NONE, contexts
from noria.tune.data.store import digest
from noria.tune.examples import Example

ARTICLE = "article"  # the slice in which SQuAD's reader names it: several paragraphs have one


def split(
    examples: Sequence[Example], share: float, seed: int, by: str = ARTICLE
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Those to learn from, and about ``share`` of all held out; both in their order.

    ``by``: a slice whose values stay on one side, where an example has it; else its documents do.
    Of each label, and of what can and cannot be answered, there is about the same share on both
    sides. The same content and seed give the same parts, whatever the order. Raises UsageError for
    a share that is not between 0 and 1, and where everything hangs together.
    """
    if not 0 < share < 1:
        raise UsageError(f"a held-out share of {share}; expected one between 0 and 1")
    parts = connected(kept_together(examples, by))
    if len(parts) < 2:
        raise UsageError(
            f"{len(examples)} examples that all hang together (one document, or nearly the same "
            "prompts), so none can be held out; add examples on other documents"
        )
    out = held_out(drawn(examples, parts, seed), strata(examples, share), share)
    return (
        tuple(each for at, each in enumerate(examples) if at not in out),
        tuple(each for at, each in enumerate(examples) if at in out),
    )


def by_split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Those of the split ``train`` and those of others, where the slice ``split`` names them."""
    train: list[Example] = []
    rest: list[Example] = []
    for each in examples:
        if name := each.question.slice.get("split", "").lower():
            (train if name.startswith("train") else rest).append(each)
    return train, rest


def kept_together(examples: Sequence[Example], by: str = ARTICLE) -> list[set[str]]:
    """What each example is about: examples that share one of these stay together."""
    read = contexts(examples)
    prompts = together([prompt_of(each) for each in examples])
    # a prompt without a context is near each that is like it, whatever that one's context
    open = {prompt for prompt, context in zip(prompts, read, strict=True) if context == NONE}
    keys = []
    for example, prompt, context in zip(examples, prompts, read, strict=True):
        name = example.question.slice.get(by)
        own = {f"{by} {name}"} if name else set()
        own |= {f"document {each}" for each in example.question.documents}
        own |= {f"context {context}"} if context != NONE else set()
        keys.append(own | {f"prompt {prompt} {NONE if prompt in open else context}"})
    return keys


def drawn(
    examples: Sequence[Example], parts: Iterable[Sequence[int]], seed: int
) -> list[Sequence[int]]:
    """The parts in an order that the seed and their content decide."""
    marks = [digest(each) for each in examples]
    return sorted(parts, key=lambda part: (chance(seed, min(marks[at] for at in part)), min(part)))


def strata(examples: Sequence[Example], share: float) -> list[str]:
    """The stratum of each example; those too small to be parted are one."""
    name = stratum([each.question for each in examples])
    names = [name(each.question) for each in examples]
    sizes = Counter(names)
    return [name if sizes[name] * share >= 1 else "" for name in names]


def held_out(parts: Sequence[Sequence[int]], names: Sequence[str], share: float) -> set[int]:
    """The places to hold out: part by part, as long as that brings each stratum to its share."""
    wanted = {name: size * share for name, size in Counter(names).items()}
    missing: dict[str, float] = defaultdict(float, wanted)
    out: set[int] = set()
    for part in parts:
        sizes = Counter(names[at] for at in part)
        gain = sum(abs(missing[n]) - abs(missing[n] - size) for n, size in sizes.items())
        if gain > 0 and len(out) + len(part) < len(names):
            out.update(part)
            for name, size in sizes.items():
                missing[name] -= size
    smallest = min(parts, key=lambda part: (len(part), min(part)))
    return out or set(smallest)  # all are too large
