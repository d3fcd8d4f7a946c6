import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from noria.config import GENERATOR
from noria.errors import ModelError, SourceError
from noria.models.llamacpp import LlamaCpp
from noria.types import Completion, Message, Sampling

real = [
    pytest.mark.net,
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("NORIA_NET") != "1", reason="NORIA_NET is not 1"),
]
CHAT = (Message("user", "What is the capital of France?"),)


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such model"):
        LlamaCpp(tmp_path / "absent.gguf")
    with pytest.raises(SourceError, match="found 0"):
        LlamaCpp(tmp_path)
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(ModelError, match="not a GGUF file"):
        LlamaCpp(tmp_path)


def test_a_damaged_file_is_said_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="may be damaged"):
        LlamaCpp(tmp_path / "cut.gguf")
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def path() -> Path:
    from noria.models.sources import fetch

    return fetch(GENERATOR)


@pytest.fixture(scope="module")
def llm(path: Path) -> Iterator[LlamaCpp]:
    # one thread: two wait for each other for seconds when something else wants a core
    with LlamaCpp(path, context=512, parallel=2, threads=1) as made:
        yield made


@pytest.fixture(scope="module")
def beside(path: Path) -> Iterator[LlamaCpp]:
    """Writes batches with two servers of a thread each."""
    with LlamaCpp(path, context=512, parallel=4, threads=2) as made:
        yield made


class TestRealModel:
    pytestmark = real

    def test_it_answers_in_pieces(self, llm: LlamaCpp) -> None:
        stream = llm.stream(CHAT, Sampling(max_tokens=16))
        pieces = []
        while True:
            try:
                pieces.append(next(stream))
            except StopIteration as end:
                completion = end.value
                break
        assert completion.text == "".join(pieces) != ""
        assert len(pieces) > 3
        assert completion.prompt_tokens > llm.count(CHAT[0].content)

    def test_a_string_is_continued(self, llm: LlamaCpp) -> None:
        (completion,) = llm.batch(["The capital of France is"], Sampling(max_tokens=1))
        assert (completion.text, completion.finish) == (" Paris", "length")

    def test_a_batch_keeps_order_and_repeats_itself(self, llm: LlamaCpp) -> None:
        prompts = [f"Count: {n}, {n + 1}, {n + 2}," for n in (1, 5, 3)]
        first, again = (llm.batch(prompts, Sampling(max_tokens=3)) for _ in range(2))
        assert [c.text.strip()[:1] for c in first] == ["4", "8", "6"]
        assert [c.text for c in first] == [c.text for c in again]

    def test_an_answer_does_not_depend_on_what_is_beside_it(
        self, llm: LlamaCpp, beside: LlamaCpp
    ) -> None:
        text = "The mill has two wheels. The river is wide. " * 8
        prompts = [f"{text}Question {n}: how wide is the river?\nAnswer:" for n in range(6)]
        sampling = Sampling(max_tokens=8)
        alone = [llm.batch([prompt], sampling)[0] for prompt in prompts]
        heard: dict[int, Completion] = {}
        together = beside.batch(prompts, sampling, heard.__setitem__)
        assert [c.text for c in together] == [c.text for c in alone]
        assert [heard[place] for place in range(6)] == together

    def test_it_says_how_likely_its_tokens_were(self, llm: LlamaCpp) -> None:
        chat, text = llm.batch([CHAT, "The capital of France is"], Sampling(max_tokens=2))
        (first,) = llm.batch(["The capital of France is"], Sampling(max_tokens=1))
        assert chat.logprob is not None
        assert chat.logprob < 0
        assert first.logprob is not None
        assert text.logprob is not None
        assert text.logprob < first.logprob < 0

    def test_what_was_written_before_an_error_was_told(self, beside: LlamaCpp) -> None:
        before = threading.active_count()
        heard: dict[int, Completion] = {}
        with pytest.raises(ModelError, match="the window 512"):
            # the long one is sorted to the end, and refused at once
            beside.batch(["a", "b", "z " * 900], Sampling(max_tokens=1), heard.__setitem__)
        assert heard.keys() <= {0, 1}
        assert heard
        assert threading.active_count() == before

    def test_an_interrupted_batch_leaves_no_thread_and_can_be_asked_again(
        self, beside: LlamaCpp
    ) -> None:
        before = threading.active_count()

        def interrupt(place: int, completion: Completion) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            beside.batch([f"Once upon {n}" for n in range(1000)], Sampling(max_tokens=4), interrupt)
        assert threading.active_count() == before
        assert len(beside.batch(["a", "b"], Sampling(max_tokens=1))) == 2

    def test_counts_are_the_models_own(self, llm: LlamaCpp) -> None:
        text = "A noria lifts water."
        (completion,) = llm.batch([text], Sampling(max_tokens=1))
        assert llm.count(text) == completion.prompt_tokens
        assert llm.count("") == 0
        assert llm.context == 512

    def test_it_stops_where_told(self, llm: LlamaCpp) -> None:
        (completion,) = llm.batch(["1, 2, 3, 4,"], Sampling(max_tokens=30, stop=("7",)))
        assert (completion.text, completion.finish) == (" 5, 6, ", "stop")

    def test_a_character_cut_in_two_is_left_out(self, llm: LlamaCpp) -> None:
        for tokens in range(1, 7):
            (completion,) = llm.batch(["Repeat: " + "🦜" * 8], Sampling(max_tokens=tokens))
            assert set(completion.text) <= {"🦜"}

    def test_too_long_a_prompt_says_both_lengths(self, llm: LlamaCpp) -> None:
        with pytest.raises(ModelError, match="901 tokens, the window 512"):
            llm.batch(["word " * 900], Sampling(max_tokens=1))

    def test_closing_the_stream_stops_the_model(self, llm: LlamaCpp) -> None:
        stream = llm.stream("Once upon a time", Sampling(max_tokens=400))
        next(stream)
        start = time.perf_counter()
        stream.close()
        assert time.perf_counter() - start < 1.0

    def test_nothing_is_printed_and_no_port_opened(self, path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from noria.models.llamacpp import LlamaCpp;"
            "from noria.types import Sampling;"
            "m = LlamaCpp(Path(sys.argv[1]), context=256, parallel=1, threads=1);"
            "m.batch(['Hi'], Sampling(max_tokens=2));"
            "assert m._server.listening_address.startswith('unix://'); m.close()"
        )
        run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True)
        assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")

    def test_a_closed_model_says_so(self, path: Path) -> None:
        llm = LlamaCpp(path, context=256, parallel=1, threads=1)
        llm.close()
        llm.close()
        with pytest.raises(ModelError, match="closed"):
            llm.count("x")
        with pytest.raises(ModelError, match="closed"):
            llm.batch(["x", "y"], Sampling())
