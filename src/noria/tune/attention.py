"""Attention, tree by tree.

With a mask over a whole row, a number is computed for each pair of its tokens, also of those that
never see each other: most pairs of a row with many trees. Here a trunk reads itself, the branches
read their tree, and nothing else is computed.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from noria.tune.pack import Inputs
    from noria.tune.weights import Precision

NAME = "noria_trees"


def logits(model: Any, inputs: "Inputs", precision: "Precision" = "float32") -> "torch.Tensor":
    """What ``model`` expects of each learnt token of a row: [learnt, vocabulary], float32.

    Logits are computed only where a token is learnt: each is a number for every known token.
    """
    import torch

    device = model.device
    trees = {"trees": inputs.trees} if used(model) else {}
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        found: torch.Tensor = model(
            input_ids=inputs.ids.to(device),
            attention_mask=inputs.mask.to(device),
            position_ids=inputs.positions.to(device),
            use_cache=False,
            logits_to_keep=inputs.sources.to(device),
            **trees,
        ).logits[0]
    return found.float()


def use(model: Any) -> None:
    """Let ``model`` read tree by tree where it is told the trees; without them it reads as before.

    A model that does not leave its attention to PyTorch keeps its own, and reads the row's mask.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if model.config._attn_implementation == "sdpa":
        AttentionInterface.register(NAME, by_tree)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)


def used(model: Any) -> bool:
    """Whether ``model`` is to be told the trees."""
    return bool(model.config._attn_implementation == NAME)


def by_tree(
    module: Any,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    trees: tuple[tuple[int, int], ...] = (),
    **more: Any,
) -> "tuple[torch.Tensor, None]":
    """What each token reads. ``trees``: tokens of the trunk, and of the whole tree, of each."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward as read

    if query.device.type == "cpu" and query.dtype != torch.float32:
        # its kernels take nearly twice as long in bfloat16 on the way back
        wide = (query.float(), key.float(), value.float())
        with torch.autocast("cpu", enabled=False):
            found, _ = by_tree(module, *wide, attention_mask, trees=trees, **more)
        return found.to(query.dtype), None
    if not trees or attention_mask is None:
        return read(module, query, key, value, attention_mask, **more)[0], None
    parts = []
    start = 0
    for trunk, length in trees:
        split, end = start + trunk, start + length
        if trunk:
            own = (x[:, :, start:split] for x in (query, key, value))
            parts.append(read(module, *own, None, **more)[0])
        seen = attention_mask[:, :, split:end, start:end] if trunk else None
        tree = (x[:, :, start:end] for x in (key, value))
        parts.append(read(module, query[:, :, split:end], *tree, seen, **more)[0])
        start = end
    return torch.cat(parts, dim=1), None
