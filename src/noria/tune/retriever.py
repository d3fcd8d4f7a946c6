"""Teaches the query encoder which passages to find. The passages' vectors, and the index, stay.

Two teachers. Contrast: the passage that people marked, against all others (Karpukhin et al. 2020,
DPR; with frozen passages every one of them can be a negative, so none is sampled). The generator:
how likely it finds the right answer after each passage (``noria.tune.likelihoods``); the
retriever's distribution is drawn towards the generator's.

What is kept lies between the weights from before and those that were taught (WiSE-FT, Wortsman et
al. 2022): other questions are understood as before, and unseen ones of this kind better still.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from noria.errors import ModelError, UsageError
from noria.jobs import silent
from noria.protocols import Progress
from noria.tune.asked import Asked, Exam, QueryRecipe, Sight, Taught

if TYPE_CHECKING:
    import torch

    from noria.protocols import Matrix

STAGE = "teaching the retriever"
DEPTH = 5  # of the recall that is told
AT_ONCE = 64  # questions embedded together where nothing is learnt


def teach(
    model: Any,
    asked: Sequence[Asked],
    passages: "Matrix",
    recipe: QueryRecipe,
    exam: Exam | None = None,
    progress: Progress = silent,
) -> Taught:
    """Train ``model``, a SentenceTransformer, in place.

    ``passages``: unit vectors, one row a passage, which do not change. At the end the model has the
    weights of the epoch in which the questions of ``exam`` found their passages best (by mean
    reciprocal rank), or of the last one where there is none. Raises UsageError for nothing to
    learn, ModelError for a loss that is no number.
    """
    import torch

    if not asked:
        raise UsageError("no question has a passage to find; name documents, or give a context")
    table = torch.tensor(passages, device=model.device)
    before = embedded(model, [each.text for each in asked]) if recipe.keep else None
    # fused: a small model's step is mostly the optimizer's, and this one goes over it once
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, weight_decay=0.01, fused=True)
    taught = Taught(sights=(seen(model, exam, recipe),) if exam else ())
    first = kept = copied(model)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)  # of dropout
        for epoch in range(recipe.epochs):
            loss = one_epoch(model, optimizer, asked, before, table, recipe, epoch, progress)
            taught = replace(taught, losses=(*taught.losses, loss))
            moving = copied(model)
            model.load_state_dict(between(first, moving, recipe.share))
            if exam:
                taught = replace(taught, sights=(*taught.sights, seen(model, exam, recipe)))
            if not exam or taught.sights[-1].mrr > taught.sights[taught.best].mrr:
                taught, kept = replace(taught, best=epoch + 1), copied(model)
            model.load_state_dict(moving)
    model.load_state_dict(kept)
    return taught


def one_epoch(
    model: Any,
    optimizer: "torch.optim.Optimizer",
    asked: Sequence[Asked],
    before: "torch.Tensor | None",
    table: "torch.Tensor",
    recipe: QueryRecipe,
    epoch: int,
    progress: Progress,
) -> float:
    """All questions once, in the order that seed and epoch draw; their mean loss."""
    order = list(range(len(asked)))
    random.Random(f"{recipe.seed}/{epoch}").shuffle(order)
    batches = [order[i : i + recipe.at_once] for i in range(0, len(order), recipe.at_once)]
    steps, total = recipe.epochs * len(batches), 0.0
    model.train()
    for number, places in enumerate(batches, epoch * len(batches)):
        for group in optimizer.param_groups:
            group["lr"] = rate(number, steps, recipe)
        batch = [asked[place] for place in places]
        old = None if before is None else before[places]
        total += step(model, optimizer, batch, old, table, recipe) * len(batch)
        progress(STAGE, number + 1, steps)
    model.eval()
    return total / len(asked)


def step(
    model: Any,
    optimizer: "torch.optim.Optimizer",
    batch: Sequence[Asked],
    before: "torch.Tensor | None",
    table: "torch.Tensor",
    recipe: QueryRecipe,
) -> float:
    """One update; its loss. ``before``: the batch's old vectors, near which it is to be kept."""
    import torch

    vectors = forward(model, [each.text for each in batch])
    loss = divergence(vectors, batch, table, recipe)
    if before is not None:
        loss = loss + recipe.keep * (1 - (vectors * before).sum(1)).mean()
    value = loss.item()
    if not math.isfinite(value):
        raise ModelError(
            f"the retriever's loss is {value}, no number; try a lower learning rate, and look "
            "whether the passages' vectors are whole"
        )
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return value


def divergence(
    vectors: "torch.Tensor", batch: Sequence[Asked], table: "torch.Tensor", recipe: QueryRecipe
) -> "torch.Tensor":
    """The mean divergence between teacher and retriever.

    Forward: KL(teacher || retriever), which for one trusted passage is cross-entropy. Reverse:
    KL(retriever || teacher), as RA-DIT has it, over the passages that the teacher knows.
    """
    import torch

    scores = vectors @ table.T / recipe.temperature
    losses = []
    for row, each in zip(scores, batch, strict=True):
        trusted = torch.tensor(list(each.trust), device=row.device)
        shares = torch.tensor(list(each.trust.values()), dtype=row.dtype, device=row.device)
        if recipe.direction == "reverse":
            own = row[trusted].log_softmax(0)
            teacher = shares.clamp_min(1e-6).log()  # of no trust at all there is no logarithm
            losses.append((own.exp() * (own - teacher)).sum())
        else:
            own = among(row, trusted, recipe.negatives)
            known = shares > 0
            losses.append((shares[known] * (shares[known].log() - own[known])).sum())
    return torch.stack(losses).mean()


def among(row: "torch.Tensor", trusted: "torch.Tensor", negatives: int) -> "torch.Tensor":
    """Log-probabilities of the trusted passages among the ``negatives`` best others, or all (0)."""
    import torch

    if not negatives:
        return row.log_softmax(0)[trusted]
    scores = row.detach().clone()
    scores[trusted] = -torch.inf
    hardest = scores.topk(min(negatives, len(row) - len(trusted))).indices
    return torch.cat([row[trusted], row[hardest]]).log_softmax(0)[: len(trusted)]


def rate(step: int, steps: int, recipe: QueryRecipe) -> float:
    """The learning rate: rises over the warm-up, then falls to zero in a line."""
    warm = max(1, round(recipe.warmup * steps))
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return recipe.learning_rate * (steps - step) / max(1, steps - warm)


def seen(model: Any, exam: Exam, recipe: QueryRecipe) -> Sight:
    """How the held-out questions fare now, among all passages."""
    import torch

    with torch.no_grad():
        table = torch.tensor(exam.passages, device=model.device)
        vectors = embedded(model, [each.text for each in exam.asked])
        loss = float(divergence(vectors, exam.asked, table, recipe))
        wanted = torch.tensor([max(each.trust, key=each.trust.__getitem__) for each in exam.asked])
        scores = vectors @ table.T
        own = scores.gather(1, wanted.to(scores.device)[:, None])
        ranks = (scores > own).sum(1) + 1
    return Sight(loss, float((ranks <= DEPTH).float().mean()), float((1 / ranks).mean()))


def embedded(model: Any, texts: Sequence[str]) -> "torch.Tensor":
    """Unit vectors without gradient, with nothing dropped."""
    import torch

    model.eval()
    with torch.no_grad():
        starts = range(0, len(texts), AT_ONCE)
        return torch.cat([forward(model, texts[i : i + AT_ONCE]) for i in starts])


def forward(model: Any, texts: Sequence[str]) -> "torch.Tensor":
    """Unit vectors with their gradient, one row a text, read with the model's own query prompt."""
    from sentence_transformers.util import batch_to_device
    from torch.nn.functional import normalize

    prompt = model.prompts.get("query") or None
    features = batch_to_device(model.preprocess(list(texts), prompt=prompt), model.device)
    found: torch.Tensor = normalize(model(features)["sentence_embedding"], dim=1)
    return found


def between(
    first: "Mapping[str, torch.Tensor]", last: "Mapping[str, torch.Tensor]", share: float
) -> "dict[str, torch.Tensor]":
    """Weights on the line from ``first`` to ``last``: at 0 the first, at 1 the last."""
    return {
        name: first[name].lerp(weight, share) if weight.is_floating_point() else weight
        for name, weight in last.items()
    }


def copied(model: Any) -> dict[str, "torch.Tensor"]:
    """The weights as they are now."""
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}
