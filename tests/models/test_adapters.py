"""An adapter, or a whole model, as llama.cpp reads it: what is served is what was trained.

The tiny models are real ones: xllamacpp and transformers both load them.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.torch import load_file, save_file

from noria.errors import ModelError, SourceError, UsageError
from noria.models.adapters import export, gguf_of, merged
from noria.models.gguf import converted
from noria.models.layout import Layout
from noria.models.llamacpp import LlamaCpp
from noria.models.parity import Served, Trained, parity
from noria.types import Message
from tiny_llama import Tiny, adapter, gguf_file, hugging_face

EXACT = 1e-5  # nats; llama.cpp keeps what it has read in 16 bits
PROMPTS = ["A wheel lifts the water.", "the the the", (Message("user", "What is a noria?"),)]


@pytest.fixture
def folder(tiny: Tiny) -> Path:
    return tiny.folder


@pytest.fixture
def base(tiny: Tiny) -> Path:
    return tiny.base


@pytest.fixture
def trained(tiny: Tiny) -> Path:
    return tiny.adapters[0]


def difference(folder: Path, trained: Path | None, served: Path, *adapters: Path) -> float:
    """The largest KL of the next token, with the token ids known to be equal."""
    with LlamaCpp(served, context=128, parallel=1, threads=1, adapters=adapters) as llama:
        side = Served(llama, 0 if adapters else None)
        found = parity(Trained(folder, trained), side, PROMPTS)
    assert found.token_ids_equal
    return found.max_kl


def test_an_adapter_serves_what_was_trained(
    folder: Path, base: Path, trained: Path, tmp_path: Path
) -> None:
    assert difference(folder, trained, base, export(trained, base, tmp_path)) < EXACT
    assert difference(folder, trained, base) > 0.1  # the base alone is another model


@pytest.mark.parametrize(
    "options",
    [
        {"r": 7, "lora_alpha": 3},
        {"use_rslora": True},
        {"target_modules": ["q_proj", "v_proj"]},
        {"init_lora_weights": "gaussian"},
    ],
    ids=str,
)
def test_every_scale_and_choice_of_layers(
    folder: Path, base: Path, options: dict[str, object], tmp_path: Path
) -> None:
    made = adapter(tmp_path / "adapter", folder, **options)
    assert difference(folder, made, base, export(made, base, tmp_path / "cache")) < EXACT


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
def test_relatives_whose_rows_keep_their_order(kind: str, tmp_path: Path) -> None:
    folder = hugging_face(tmp_path / kind, kind=kind)
    base = gguf_file(tmp_path / f"{kind}.gguf", folder)
    made = adapter(tmp_path / "adapter", folder)
    assert difference(folder, made, base, export(made, base, tmp_path / "cache")) < EXACT
    assert difference(folder, None, gguf_of(folder, base, tmp_path / "again.gguf")) < EXACT


def test_half_precision_is_kept_as_it_is(folder: Path, base: Path, tmp_path: Path) -> None:
    for kind in (torch.float16, torch.bfloat16):
        made = adapter(tmp_path / str(kind), folder)
        file = made / "adapter_model.safetensors"
        save_file({name: weight.to(kind) for name, weight in load_file(file).items()}, file)
        assert difference(folder, made, base, export(made, base, tmp_path / "cache")) < EXACT


def test_it_is_made_once(folder: Path, base: Path, trained: Path, tmp_path: Path) -> None:
    first = export(trained, base, tmp_path)
    stamp = first.stat().st_mtime_ns
    assert export(trained, base, tmp_path) == first
    assert first.stat().st_mtime_ns == stamp
    again = adapter(tmp_path / "again", folder, seed=1)  # the same weights elsewhere
    assert export(again, base, tmp_path) == first
    other = adapter(tmp_path / "other", folder, seed=3)
    assert export(other, base, tmp_path) != first


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"use_dora": True}, "use_dora = True"),
        ({"modules_to_save": ["norm"]}, "modules_to_save"),
        ({"rank_pattern": {"q_proj": 2}}, "rank_pattern"),
        ({"alpha_pattern": {"q_proj": 2}}, "alpha_pattern"),
        ({"bias": "all"}, "bias = 'all'"),
    ],
)
def test_what_llama_cpp_would_not_follow_is_refused(
    folder: Path, base: Path, options: dict[str, object], said: str, tmp_path: Path
) -> None:
    made = adapter(tmp_path / "adapter", folder, **options)
    with pytest.raises(ModelError, match=said):
        export(made, base, tmp_path / "cache")


def test_other_kinds_of_adapters_are_refused(base: Path, trained: Path, tmp_path: Path) -> None:
    config = json.loads((trained / "adapter_config.json").read_text())
    for changed in (
        {"peft_type": "LOHA"},
        {"lora_bias": True},
        {"a_new_thing": 1},
        {"init_lora_weights": "pissa"},
    ):
        (tmp_path / "adapter_config.json").write_text(json.dumps(config | changed))
        (tmp_path / "adapter_model.safetensors").touch()
        with pytest.raises(ModelError, match=f"{next(iter(changed))} = "):
            export(tmp_path, base, tmp_path / "cache")


def test_what_is_no_adapter_is_said(base: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no adapter is there"):
        export(tmp_path, base, tmp_path / "cache")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(SourceError, match="no adapter is there"):
        export(tmp_path, base, tmp_path / "cache")
    (tmp_path / "adapter_config.json").write_bytes((trained / "adapter_config.json").read_bytes())
    with pytest.raises(SourceError, match=r"no adapter_model\.safetensors"):
        export(tmp_path, base, tmp_path / "cache")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        export(tmp_path, base, tmp_path / "cache")
    save_file({"base_model.model.x.lora_A.weight": torch.ones(1, 1)},
              tmp_path / "adapter_model.safetensors")  # fmt: skip
    with pytest.raises(ModelError, match=r"not the pairs.*lora_B"):
        export(tmp_path, base, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.gguf"))


def test_another_base_is_refused(trained: Path, tmp_path: Path) -> None:
    for name, shape in {
        "wide": {"intermediate_size": 128},
        "low": {"num_hidden_layers": 1},
    }.items():
        other = gguf_file(tmp_path / f"{name}.gguf", hugging_face(tmp_path / name, **shape))
        with pytest.raises(ModelError, match="trained on another base"):
            export(trained, other, tmp_path / "cache")


def test_an_unknown_architecture_is_refused(trained: Path, tmp_path: Path) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "bert.gguf", "bert")
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", np.ones((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelError, match=r"'bert' is not known here, only llama"):
        export(trained, tmp_path / "bert.gguf", tmp_path / "cache")


def test_the_order_of_rows_by_hand(base: Path) -> None:
    rows = np.arange(32)[:, None]  # two heads of k, sixteen rows each
    turned = Layout(base).turned("blk.0.attn_k.weight", rows)[:, 0].tolist()
    assert turned[:6] == [0, 8, 1, 9, 2, 10]
    assert turned[16:20] == [16, 24, 17, 25]
    assert Layout(base).turned("blk.0.attn_v.weight", rows) is rows


def test_merged_weights_are_base_and_adapter(
    folder: Path, base: Path, trained: Path, tmp_path: Path
) -> None:
    whole = merged(folder, trained, tmp_path / "merged")
    both, one = Trained(folder, trained), Trained(whole)
    for prompt in PROMPTS:
        expected, found = both.predict(prompt), one.predict(prompt)
        assert expected.ids == found.ids
        assert max(abs(expected.logprobs[i] - found.logprobs[i]) for i in found.logprobs) < 1e-4
    assert difference(folder, trained, gguf_of(whole, base, tmp_path / "whole.gguf")) < EXACT
    with pytest.raises(UsageError, match="not empty"):
        merged(folder, trained, tmp_path / "merged")


def test_dora_can_be_merged(folder: Path, base: Path, tmp_path: Path) -> None:
    made = adapter(tmp_path / "adapter", folder, use_dora=True)
    whole = merged(folder, made, tmp_path / "merged")
    assert difference(folder, made, gguf_of(whole, base, tmp_path / "whole.gguf")) < EXACT


def test_merging_what_does_not_fit_is_said(trained: Path, tmp_path: Path) -> None:
    other = hugging_face(tmp_path / "wide", intermediate_size=128)
    with pytest.raises(ModelError, match="not an adapter for this model"):
        merged(other, trained, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_there_and_back_again(folder: Path, base: Path, tmp_path: Path) -> None:
    """transformers' reading of the file gives the weights that it was made of."""
    back = converted(gguf_of(folder, base, tmp_path / "same.gguf"), tmp_path / "cache")
    expected, found = (load_file(at / "model.safetensors") for at in (folder, back))
    for name in expected:
        assert torch.equal(expected[name], found[name]), name


def test_all_else_is_the_templates(folder: Path, base: Path, tmp_path: Path) -> None:
    made = gguf_of(folder, base, tmp_path / "same.gguf")
    before, after = GGUFReader(base), GGUFReader(made)
    assert before.fields.keys() == after.fields.keys()
    for name in before.fields.keys() - {"GGUF.kv_count"}:
        assert before.fields[name].contents() == after.fields[name].contents(), name
    assert [t.name for t in before.tensors] == [t.name for t in after.tensors]
    for one, other in zip(before.tensors, after.tensors, strict=True):
        assert np.array_equal(one.data, other.data), one.name


@pytest.mark.parametrize(
    ("kind", "bits", "most"), [("Q8_0", 8.5, 0.01), ("Q4_1", 5.0, 1.0), ("Q4_0", 4.5, 1.0)]
)
def test_rounded_kinds(
    folder: Path, base: Path, kind: str, bits: float, most: float, tmp_path: Path
) -> None:
    made = gguf_of(folder, base, tmp_path / "small.gguf", kind)  # type: ignore[arg-type]
    reader = GGUFReader(made)
    kinds = {t.name: t.tensor_type.name for t in reader.tensors}
    assert kinds["blk.0.ffn_up.weight"] == kinds["blk.1.attn_q.weight"] == kind
    assert (kinds["token_embd.weight"], kinds["output_norm.weight"]) == ("Q8_0", "F32")
    (up,) = (t for t in reader.tensors if t.name == "blk.0.ffn_up.weight")
    assert up.n_bytes * 8 == up.n_elements * bits
    exact = load_file(folder / "model.safetensors")["model.layers.0.mlp.up_proj.weight"].numpy()
    error = np.abs(dequantize(up.data, up.tensor_type) - exact).max()
    assert 0 < error <= np.abs(exact).max() / (2 ** (bits - 1.5) - 1)
    assert reader.fields["general.file_type"].contents() == {"Q8_0": 7, "Q4_1": 3, "Q4_0": 2}[kind]
    assert 0 < difference(folder, None, made) < most


def test_a_folder_that_is_not_the_templates_is_refused(base: Path, tmp_path: Path) -> None:
    for name, shape, said in (
        ("wide", {"intermediate_size": 128}, "not those of tiny.gguf"),
        ("low", {"num_hidden_layers": 1}, "not those of tiny.gguf"),
        ("heads", {"num_attention_heads": 8, "head_dim": 8}, "8 heads"),
        ("untied", {"tie_word_embeddings": False}, "lm_head"),
    ):
        other = hugging_face(tmp_path / name, **shape)
        with pytest.raises(ModelError, match=said):
            gguf_of(other, base, tmp_path / "never.gguf")
    with pytest.raises(SourceError, match="no model is there"):
        gguf_of(tmp_path, base, tmp_path / "never.gguf")
    assert not (tmp_path / "never.gguf").exists()
