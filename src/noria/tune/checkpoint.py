"""What a resumed run needs, on disk: weights, the optimizer's moments, and the curve so far.

Files are named by the update they belong to; the state, written last, says which ones count. So a
crash at any instruction leaves the last checkpoint whole.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.errors import NoriaError
from noria.store.content import sync, write_json
from noria.tune.curve import Curve, curve_of
from noria.tune.weights import moving, put

if TYPE_CHECKING:
    import torch

STATE = "state.json"


def write(
    model: Any, optimizer: "torch.optim.Optimizer | None", curve: Curve, folder: Path
) -> None:
    """Put the state after the curve's last look on disk; drop what no longer counts."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    update = curve.looks[-1].update
    files = {weights_at(folder, update): {k: v.detach() for k, v in moving(model).items()}}
    if optimizer is not None:
        files[moments_at(folder, update)] = moments(model, optimizer)
    for path, tensors in files.items():
        try:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
            sync(path)
        except (OSError, SafetensorError) as error:
            path.unlink(missing_ok=True)
            raise NoriaError(
                f"{path}: the checkpoint cannot be written ({error}); make room on the disk and "
                "give the same command again: it goes on from the checkpoint before"
            ) from None
    write_json(folder / STATE, asdict(curve))
    kept = {weights_at(folder, curve.best.update), *files}
    for path in folder.glob("*.safetensors"):
        if path not in kept:
            path.unlink()


def resumed(model: Any, optimizer: "torch.optim.Optimizer", folder: Path) -> Curve | None:
    """The curve of the checkpoint in ``folder``, put into model and optimizer; None without one."""
    from safetensors.torch import load_file

    state = folder / STATE
    if not state.exists():
        return None
    raw = json.loads(state.read_text(encoding="utf-8"))
    curve = curve_of(raw)
    update = curve.looks[-1].update
    put(model, load_file(weights_at(folder, update)))
    if update:
        put_moments(model, optimizer, load_file(moments_at(folder, update)), update)
    return curve


def put_best(model: Any, curve: Curve, folder: Path) -> None:
    """Give the model the weights with the lowest held-out loss."""
    from safetensors.torch import load_file

    put(model, load_file(weights_at(folder, curve.best.update)))


def weights_at(folder: Path, update: int) -> Path:
    """The file of the weights after an update."""
    return folder / f"weights-{update}.safetensors"


def moments_at(folder: Path, update: int) -> Path:
    """The file of the optimizer's moments after an update."""
    return folder / f"moments-{update}.safetensors"


def moments(model: Any, optimizer: "torch.optim.Optimizer") -> dict[str, "torch.Tensor"]:
    """Adam's running means, by the name of their weight."""
    return {
        f"{moment}/{name}": optimizer.state[weight][moment]
        for name, weight in moving(model).items()
        for moment in ("exp_avg", "exp_avg_sq")
    }


def put_moments(
    model: Any,
    optimizer: "torch.optim.Optimizer",
    tensors: "dict[str, torch.Tensor]",
    update: int,
) -> None:
    """Set Adam's running means, and that they were moved ``update`` times."""
    import torch

    for name, weight in moving(model).items():
        optimizer.state[weight] = {
            "step": torch.tensor(float(update)),
            "exp_avg": tensors[f"exp_avg/{name}"].clone(),
            "exp_avg_sq": tensors[f"exp_avg_sq/{name}"].clone(),
        }
