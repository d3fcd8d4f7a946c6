import subprocess
import sys

import numpy as np
import pytest

from noria.errors import ModelError
from noria.models.fake import FakeEncoder, FakeLLM, FakeScorer
from noria.types import Message, Sampling


def test_vectors_are_unit_float32_rows() -> None:
    rows = FakeEncoder(64).encode_passages(["water wheel", "", "the"])
    assert rows.shape == (3, 64)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0)
    assert FakeEncoder(64).encode_queries([]).shape == (0, 64)


def test_similar_texts_are_near() -> None:
    encoder = FakeEncoder()
    query = encoder.encode_queries(["how does a wheel lift water"])[0]
    near, far = encoder.encode_passages(["wheels lifting the water", "taxes are due in April"])
    assert query @ near > 0.4 > 0.2 > query @ far


def test_vectors_are_the_same_in_another_process() -> None:
    code = (
        "from noria.models.fake import FakeEncoder;"
        "print(FakeEncoder().encode_queries(['water wheel']).tobytes().hex())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == FakeEncoder().encode_queries(["water wheel"]).tobytes().hex()


def test_a_script_is_a_mapping_a_function_or_turns() -> None:
    assert FakeLLM({"wheel": "Round."}).batch(["a wheel?"], Sampling())[0].text == "Round."
    assert FakeLLM(lambda p: str(len(p))).batch(["four"], Sampling())[0].text == "4"
    turns = FakeLLM(["One.", "Two."])
    assert [c.text for c in turns.batch(["x", "y"], Sampling())] == ["One.", "Two."]
    with pytest.raises(ModelError, match="said everything"):
        turns.batch(["z"], Sampling())
    assert turns.prompts == ["x", "y", "z"]


def test_it_streams_word_by_word_and_stops_where_told() -> None:
    llm = FakeLLM(["One two three. Four"])
    stream = llm.stream("go", Sampling(max_tokens=2))
    assert [next(stream), next(stream)] == ["One", " two"]
    with pytest.raises(StopIteration) as end:
        next(stream)
    assert end.value.value.finish == "length"
    (cut,) = FakeLLM(["One two. Three"]).batch(["go"], Sampling(stop=(".",)))
    assert (cut.text, cut.finish, cut.completion_tokens) == ("One two", "stop", 2)


def test_without_a_script_it_quotes_the_passages() -> None:
    prompt = (
        Message("system", "Answer from the passages."),
        Message("user", "[1] A noria lifts water. [2] Bees make honey.\nWhat do bees make?"),
    )
    assert "Bees make honey." in FakeLLM().batch([prompt], Sampling())[0].text
    assert FakeLLM().batch(["Salt.\nWhat is a qubit?"], Sampling())[0].text == "I do not know."


def test_too_long_a_prompt_is_an_error() -> None:
    with pytest.raises(ModelError, match="3 tokens, the window 2"):
        FakeLLM(context=2).batch(["a b c"], Sampling())


def test_overlap_is_likely() -> None:
    good, bad = FakeScorer().score(["bees make honey"] * 2, ["honey", "salt"])
    assert good.logprob > bad.logprob
    assert good.tokens == 1
