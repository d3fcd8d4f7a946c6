from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize

from noria.errors import ModelError
from noria.models import gguf
from noria.models.gguf import fast

Q4_1, Q8_0 = GGMLQuantizationType.Q4_1, GGMLQuantizationType.Q8_0
WEIGHTS = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
NORM = np.linspace(0.5, 1.5, 64, dtype=np.float32)


def written(path: Path, kind: GGMLQuantizationType = Q4_1) -> Path:
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_file_type(3)
    writer.add_token_list(["a", "é", "\n"])
    writer.add_array("noria.nothing", [1.5])
    writer.add_tensor("norm.weight", NORM)
    writer.add_tensor("blk.0.attn_q.weight", quantize(WEIGHTS, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(path: Path) -> dict[str, np.ndarray]:
    return {t.name: dequantize(t.data, t.tensor_type) for t in GGUFReader(path).tensors}


def test_slow_weights_are_rounded_to_eight_bits(tmp_path: Path) -> None:
    path = written(tmp_path / "tiny.gguf")
    copy = fast(path, tmp_path / "cache")
    assert copy != path
    before, after = tensors(path), tensors(copy)
    assert np.array_equal(before["norm.weight"], after["norm.weight"])
    largest = np.abs(before["blk.0.attn_q.weight"]).reshape(-1, 32).max(axis=1)
    moved = np.abs(before["blk.0.attn_q.weight"] - after["blk.0.attn_q.weight"]).reshape(-1, 32)
    assert moved.max() > 0
    # half a step of 127; the scale, rounded to 16 bits itself, moves large weights a little more
    assert (moved <= (largest[:, None] / 254) * 1.25).all()
    kinds = {t.name: t.tensor_type for t in GGUFReader(copy).tensors}
    assert kinds["blk.0.attn_q.weight"] == Q8_0


def test_the_copy_says_what_the_file_says_and_its_own_kind(tmp_path: Path) -> None:
    path = written(tmp_path / "tiny.gguf")
    before, after = GGUFReader(path), GGUFReader(fast(path, tmp_path / "cache"))
    names = {name for name in before.fields if not name.startswith("GGUF.")}
    assert {name for name in after.fields if not name.startswith("GGUF.")} == names
    for name in names - {"general.file_type"}:
        assert after.fields[name].contents() == before.fields[name].contents(), name
        assert after.fields[name].types == before.fields[name].types, name
    assert after.fields["general.file_type"].contents() == 7  # mostly Q8_0


def test_the_same_file_gives_the_same_copy(tmp_path: Path) -> None:
    path = written(tmp_path / "tiny.gguf")
    one, other = fast(path, tmp_path / "one"), fast(path, tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()


def test_a_known_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = written(tmp_path / "slow.gguf"), written(tmp_path / "quick.gguf", Q8_0)
    cache = tmp_path / "cache"
    copy = fast(slow, cache)
    assert fast(quick, cache) == quick
    monkeypatch.setattr(gguf, "read", lambda path: pytest.fail("read again"))
    assert fast(slow, cache) == copy
    assert fast(quick, cache) == quick


def test_what_is_quick_or_large_is_served_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = written(tmp_path / "quick.gguf", Q8_0)
    assert fast(quick, tmp_path / "cache") == quick
    large = written(tmp_path / "large.gguf")
    monkeypatch.setattr(gguf, "LARGEST", 500)
    assert fast(large, tmp_path / "cache") == large


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in (10, 100, len(whole) - 200):
        cut.write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"cut\.gguf: not a whole GGUF file"):
            fast(cut, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.gguf"))


def test_a_cache_that_cannot_be_written_is_told_only_where_a_copy_is_wanted(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.write_text("a file, where a folder should be")
    quick, slow = written(tmp_path / "quick.gguf", Q8_0), written(tmp_path / "slow.gguf")
    assert fast(quick, cache) == quick
    with pytest.raises(ModelError, match=r"slow\.gguf: no copy .* set models\.fast_copy = false"):
        fast(slow, cache)
