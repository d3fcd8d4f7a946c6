"""How fast Noria trains beside TRL, in how much memory, and whether both learn the same.

Both train the same adapter (LoRA, r=16, on every linear layer) of the same model in float32 on the
same tokens: questions on SQuAD's paragraphs with their answers, of which only the answers are
learnt. Both see the same examples in the same updates at the same learning rates from the same
first weights, so their held-out losses must agree. Two settings: ``shared``, some questions on
each paragraph, as SQuAD has them; and ``alone``, one question on each: nothing can be read once.
``--precision bfloat16`` lets Noria multiply so, as it does by itself where the processor can.

TRL runs in float32 without checkpointing. Its settings are tried on one update, and the fastest
whose loss is Noria's to within 0.001 is compared. Every run is a process of its own; the two sides
take turns, and figures are medians. Time counts the updates alone, without imports and loading;
memory is the peak of the whole process until the last update is done, as the kernel tells it.

    python benchmarks/training.py --data DIR                      # half an hour on two cores
    python benchmarks/training.py --data DIR --layers 2 --repeat 1 --examples 32   # does it work?
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import _common
from noria.config import GENERATOR
from noria.models.cache import default_cache
from noria.models.gguf import converted
from noria.models.sources import fetch
from noria.tune.machine import ask_for_large_pages
from noria.tune.pack import pack
from noria.tune.render import Lesson, Renderer
from noria.tune.train import Recipe, adam, rate, step
from noria.tune.weights import PRECISIONS, Movable, moving, prepared
from noria.types import Message

QUESTIONS = {"shared": 4, "alone": 1}  # of each paragraph
LONGEST = 1024  # tokens of an example
# examples that go through the model together, and how they are laid
WAYS = {
    "batch 1": (1, {}),
    "batch 2": (2, {}),
    "batch 4": (4, {}),
    "batch 8": (8, {}),
    "padding-free 4": (4, {"padding_free": True, "max_length": None}),
    "padding-free 16": (16, {"padding_free": True, "max_length": None}),
}
PACKED = "packed"  # chooses the examples of an update itself, so it is tried for its speed alone
SAME = 1e-3  # between losses of one update
TRL = "trl"


def main() -> None:
    """Measure and print."""
    if len(sys.argv) == 3 and sys.argv[1] == "--job":
        return work(Path(sys.argv[2]))
    given = _common.arguments(__doc__, options)
    path = converted(fetch(GENERATOR), default_cache())
    settings = given.settings.split(",")
    data = {name: lessons(given, path, QUESTIONS[name]) for name in settings}
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), path, given)
        tried, best = fastest(bench, data[settings[-1]], given)
        result = {name: compared(bench, *data[name], best, given.repeat) for name in settings}
    _common.show({
        "examples": given.examples, "examples_an_update": given.at_once, "layers": given.layers,
        "threads": given.threads, "row": given.row, "precision": given.precision,
        "trl_tried": tried, "trl_chosen": best,
        **result,
    })  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    add = parser.add_argument
    add("--examples", type=int, default=48, help="examples learnt from, once")
    add("--held-out", type=int, default=24, help="examples of other articles")
    add("--at-once", type=int, default=16, help="examples of an update")
    add("--row", type=int, default=Recipe().row, help="Noria's tokens that are read together")
    add("--precision", choices=PRECISIONS, default="float32", help="of Noria's products")
    add("--rate", type=float, default=5e-4, help="the highest learning rate")
    add("--repeat", type=int, default=3)
    add("--threads", type=int, default=os.cpu_count())
    add("--layers", type=int, help="keep so many of the model's layers, for a quick trial")
    add("--settings", default="shared,alone")
    add("--ways", default=",".join([*WAYS, PACKED]), help="TRL's settings to try")


def lessons(given: Any, path: Path, count: int) -> tuple[list[list[Lesson]], list[Lesson]]:
    """The updates' examples, and held-out ones of other articles: ``count`` of each paragraph."""
    from transformers import AutoTokenizer

    renderer = Renderer(AutoTokenizer.from_pretrained(path), LONGEST)
    raw = json.loads((given.data / "squad" / "dev-v1.1.partA.json").read_text(encoding="utf-8"))
    articles = sorted(raw["data"], key=lambda article: str(article["title"]))
    random.Random(_common.SEED).shuffle(articles)
    cut = len(articles) // 5
    learnt, held = (
        drawn(renderer, some, count, wanted)
        for some, wanted in ((articles[cut:], given.examples), (articles[:cut], given.held_out))
    )
    size = given.at_once
    return [learnt[i : i + size] for i in range(0, len(learnt), size)], held


def drawn(renderer: Renderer, articles: Sequence[Any], count: int, wanted: int) -> list[Lesson]:
    """``wanted`` examples, ``count`` of each paragraph, which stay side by side."""
    paragraphs = [
        p for article in articles for p in article["paragraphs"] if len(p["qas"]) >= count
    ]
    random.Random(_common.SEED).shuffle(paragraphs)
    return [
        renderer.lesson(
            entry["id"],
            (Message("user", f"{paragraph['context']}\n\nQuestion: {entry['question']}"),),
            entry["answers"][0]["text"],
        )
        for paragraph in paragraphs
        for entry in paragraph["qas"][:count]
    ][:wanted]


class Bench:
    """Runs a side in a process of its own."""

    def __init__(self, scratch: Path, model: Path, given: Any) -> None:
        self._scratch, self._count = scratch, 0
        self._always = {
            "model": str(model), "threads": given.threads, "layers": given.layers,
            "row": given.row, "rate": given.rate, "precision": given.precision,
        }  # fmt: skip

    def run(
        self,
        side: str,
        updates: Sequence[Sequence[Lesson]],
        held: Sequence[Lesson] = (),
        **other: Any,
    ) -> dict[str, Any]:
        """What a side measured; ``side`` is ``noria`` or one of TRL's ways."""
        self._count += 1
        job = self._scratch / f"{self._count}.json"
        job.write_text(json.dumps({
            **self._always, "side": side, "updates": [list(map(written, some)) for some in updates],
            "held": list(map(written, held)), "work": str(self._scratch / str(self._count)),
            **other,
        }), encoding="utf-8")  # fmt: skip
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        command = [sys.executable, __file__, "--job", str(job)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{side}: {done.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(job.with_suffix(".done").read_text(encoding="utf-8"))
        _common.tell(f"{side}: {result['seconds']:.1f} s, {result['peak_gb']:.2f} GB")
        return result


def written(lesson: Lesson) -> list[Any]:
    """A lesson as JSON."""
    return [lesson.id, lesson.before, lesson.after]


def read(raw: Sequence[Any]) -> Lesson:
    """A lesson from JSON."""
    return Lesson(raw[0], tuple(raw[1]), tuple(raw[2]))


def fastest(
    bench: Bench, data: tuple[list[list[Lesson]], list[Lesson]], given: Any
) -> tuple[dict[str, Any], str]:
    """Every way of TRL's on one update, and the fastest that loses what Noria loses."""
    update = data[0][:1]
    true = bench.run("noria", update, precision="float32")["losses"][0]
    tried = {}
    for way in given.ways.split(","):
        run = bench.run(way, update)
        tried[way] = {
            "examples_per_second": len(update[0]) / run["seconds"],
            "examples_per_cpu_second": len(update[0]) / run["cpu_seconds"],
            "peak_gb": run["peak_gb"],
            "loss_differs": None if way == PACKED else abs(run["losses"][0] - true),
        }
    correct = [way for way in tried if way != PACKED and tried[way]["loss_differs"] < SAME]
    if not correct:
        raise SystemExit(f"no way of TRL's loses what Noria loses, {true}: {tried}")
    best = max(correct, key=lambda way: tried[way][given_speed(given)])
    return tried, best


def given_speed(given: Any) -> str:
    """What decides: the clock, or, on one thread of a busy machine, the processor's time."""
    return "examples_per_cpu_second" if given.threads == 1 else "examples_per_second"


def compared(
    bench: Bench,
    updates: Sequence[Sequence[Lesson]],
    held: Sequence[Lesson],
    way: str,
    repeat: int,
) -> dict[str, Any]:
    """Both sides in turns."""
    runs: dict[str, list[dict[str, Any]]] = {"noria": [], TRL: []}
    for turn in range(repeat):
        for side in list(runs)[:: 1 if turn % 2 == 0 else -1]:
            told = held if turn == 0 else ()
            runs[side].append(bench.run(way if side == TRL else side, updates, told))
    count = sum(map(len, updates))
    ours, theirs = (figures(runs[side], count) for side in ("noria", TRL))
    return {
        "updates": len(updates), "tokens": sum(x.length for some in updates for x in some),
        "noria": ours, TRL: theirs,
        "times_as_fast": ours["examples_per_second"] / theirs["examples_per_second"],
        "times_as_fast_by_processor_time":
            ours["examples_per_cpu_second"] / theirs["examples_per_cpu_second"],
        "share_of_memory": ours["peak_gb"] / theirs["peak_gb"],
        "held_out_loss_differs": abs(ours["held_out_loss"] - theirs["held_out_loss"]),
    }  # fmt: skip


def figures(runs: Sequence[Mapping[str, Any]], count: int) -> dict[str, Any]:
    """Medians of a side's runs; the first one took the held-out loss."""
    return {
        "examples_per_second": count / median(run["seconds"] for run in runs),
        "examples_per_cpu_second": count / median(run["cpu_seconds"] for run in runs),
        "peak_gb": median(run["peak_gb"] for run in runs),
        "loaded_gb": median(run["loaded_gb"] for run in runs),
        "losses": runs[0]["losses"],
        "held_out_loss_before": runs[0]["held_out_loss_before"],
        "held_out_loss": runs[0]["held_out_loss"],
    }


def work(job: Path) -> None:
    """One side, in this process; what it measured goes beside the job."""
    import torch

    told = json.loads(job.read_text(encoding="utf-8"))
    torch.set_num_threads(told["threads"])
    ours = told["side"] == "noria"
    if ours:
        ask_for_large_pages()  # as noria tune does
    path = Path(told["model"])
    model = prepared(path, Movable(), 0, precision=told["precision"]) if ours else plain(path)
    if told["layers"]:
        shortened(model.get_base_model(), told["layers"])
    updates = [list(map(read, some)) for some in told["updates"]]
    held = list(map(read, told["held"]))
    result: dict[str, Any] = {"loaded_gb": peak()}
    side: Callable[..., Any] = noria if ours else trl
    result |= side(model, updates, told)
    result["peak_gb"] = peak()
    if held:
        precision = told["precision"] if ours else "float32"
        result["held_out_loss"] = alone(model, held, precision)
        with model.disable_adapter():
            result["held_out_loss_before"] = alone(model, held, precision)
    job.with_suffix(".done").write_text(json.dumps(result), encoding="utf-8")


def plain(path: Path) -> Any:
    """The same adapter beside the same model as PEFT makes it, without anything of Noria's."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    ours = Movable()
    config = LoraConfig(r=ours.rank, lora_alpha=ours.alpha, lora_dropout=0.0,
                        target_modules="all-linear", task_type="CAUSAL_LM")  # fmt: skip
    return get_peft_model(model, config).train()


def shortened(model: Any, layers: int) -> None:
    """Only the first layers."""
    model.model.layers = model.model.layers[:layers]
    model.config.num_hidden_layers = layers


def peak() -> float:
    """The most memory that this process held so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def noria(model: Any, updates: Sequence[Sequence[Lesson]], told: Mapping[str, Any]) -> Any:
    """Noria's own steps."""
    recipe = Recipe(learning_rate=told["rate"], row=told["row"], precision=told["precision"])
    optimizer = adam(model)
    losses = []
    clocks = perf_counter(), process_time()
    for number, update in enumerate(updates):
        lr = rate(number, len(updates), recipe)
        losses.append(step(model, optimizer, pack(update, recipe.row), lr, recipe)[0])
    return {**since(*clocks), "losses": losses}


def trl(model: Any, updates: Sequence[Sequence[Lesson]], told: Mapping[str, Any]) -> Any:
    """TRL's trainer: the same optimizer and learning rates, the examples in their order."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    count, more = laid_out(told["side"], len(updates[0]))
    recipe = Recipe(learning_rate=told["rate"])
    optimizer = torch.optim.AdamW(list(moving(model).values()), lr=told["rate"], weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda number: rate(number, len(updates), recipe) / told["rate"]
    )
    config = SFTConfig(
        output_dir=told["work"],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=count,
        max_grad_norm=recipe.clip,
        train_sampling_strategy="sequential",
        num_train_epochs=1,
        dataloader_pin_memory=False,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **more,
    )
    # the longest first: examples of about one length come together, as group_by_length has it
    ordered = [x for update in updates for x in sorted(update, key=lambda x: -x.length)]
    rows = [
        {
            "input_ids": [*x.before, *x.after],
            "labels": [-100] * len(x.before) + list(x.after),
        }
        for x in ordered
    ]
    trainer = SFTTrainer(
        model,
        config,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(told["model"]),
        optimizers=(optimizer, schedule),
    )
    clocks = perf_counter(), process_time()
    trainer.train()
    taken = since(*clocks)
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return {**taken, "losses": losses}


def laid_out(way: str, size: int) -> tuple[int, dict[str, Any]]:
    """Examples (or packed rows) that go through the model together, and what else TRL is told."""
    if way == PACKED:
        return 1, {"packing": True, "packing_strategy": "bfd", "max_length": LONGEST}
    count, more = min(WAYS[way][0], size), WAYS[way][1]
    return count, {"max_length": LONGEST, "gradient_accumulation_steps": size // count, **more}


def since(clock: float, processor: float) -> dict[str, float]:
    """Seconds since two clocks were read."""
    return {"seconds": perf_counter() - clock, "cpu_seconds": process_time() - processor}


def alone(model: Any, some: Sequence[Lesson], precision: str) -> float:
    """The mean loss of the learnt tokens, each example read by itself, as transformers has it."""
    import torch

    total = count = 0.0
    model.eval()
    narrow = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    with torch.inference_mode(), narrow:
        for lesson in some:
            ids = torch.tensor([lesson.before + lesson.after])
            logits = (
                model(input_ids=ids, use_cache=False).logits[0, len(lesson.before) - 1 : -1].float()
            )
            wanted = torch.tensor(lesson.after)
            each = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")
            total, count = total + float(each), count + len(lesson.after)
    return total / count


if __name__ == "__main__":
    main()
