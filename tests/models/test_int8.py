import pytest
import torch

from noria.errors import ModelError
from noria.models.int8 import Hosted, gpu, write
from noria.models.parity import Trained, check, parity
from noria.types import Message, Prompt, Sampling
from tiny_llama import Tiny

CHAT = (Message("user", "What is a noria?"),)
PROMPTS: list[Prompt] = ["The wheel lifts water", CHAT]


@pytest.fixture(scope="module")
def small(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory):
    return write(tiny.folder, tmp_path_factory.mktemp("int8") / "model", "cpu")


def test_the_matrices_of_the_layers_have_eight_bits_on_disk(tiny: Tiny, small) -> None:
    from safetensors.torch import load_file

    kinds = {name: weight.dtype for name, weight in load_file(small / "model.safetensors").items()}
    assert kinds["model.layers.0.mlp.up_proj.weight"] == torch.int8
    assert kinds["model.embed_tokens.weight"] != torch.int8


def test_it_is_near_the_full_model_but_not_the_same(tiny: Tiny, small) -> None:
    full = Hosted(tiny.folder, "cpu")
    check(parity(Trained(tiny.folder), full, PROMPTS))
    found = parity(full, Hosted(small, "cpu"), PROMPTS)
    assert found.token_ids_equal
    assert 1e-6 < found.mean_kl < 0.05


def test_it_writes_greedily_up_to_the_end_that_is_asked_for(tiny: Tiny, small) -> None:
    hosted = Hosted(small, "cpu")
    told = []
    prompts = ["The wheel", "Zwölf", "the river", CHAT]
    written = hosted.batch(prompts, Sampling(max_tokens=12), lambda *each: told.append(each))
    assert told == list(enumerate(written))
    free, prompt = max(zip(written, prompts, strict=True), key=lambda pair: len(pair[0].text))
    assert free.prompt_tokens == len(hosted.predict(prompt).ids)
    assert 3 < free.completion_tokens <= 12
    stop = free.text[2]
    (ended,) = hosted.batch([prompt], Sampling(max_tokens=12, stop=(stop,)))
    assert ended.text == free.text[: free.text.index(stop)]
    assert ended.finish == "stop"


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_without_a_gpu_it_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(ModelError, match="finds none here; use --to q8_0"):
        gpu()
