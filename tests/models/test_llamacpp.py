import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from noria.config import GENERATOR
from noria.errors import ModelError, SourceError, UsageError
from noria.models.cache import default_cache, digest_of
from noria.models.gguf import converted, gguf_at
from noria.models.llamacpp import LlamaCpp, Together
from noria.models.sources import fetch, parse
from noria.protocols import LLM
from noria.testing.laws import check_llm
from noria.types import Completion, Message, Sampling

if TYPE_CHECKING:
    from tiny_llama import Tiny

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


@pytest.mark.net
@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NORIA_NET") != "1", reason="NORIA_NET is not 1")
def test_the_default_model_is_trained_on_the_tokens_that_it_is_served() -> None:
    """White space before a digit was cut otherwise: 713 after an empty line, on PubMedQA."""
    from transformers import AutoTokenizer

    path = gguf_at(fetch(parse(GENERATOR)))
    trained = AutoTokenizer.from_pretrained(converted(path, default_cache()))
    drawn = random.Random(1)
    pieces = ["\n", "\n\n", " ", "  ", "\t", "7", "42", "a", "The", "\u2009", "\u00bd", "'s", "-"]
    with LlamaCpp(path, threads=1, parallel=1) as served:
        for _ in range(100):
            text = "".join(drawn.choices(pieces, k=12))
            assert served.ids(text) == tuple(trained(text, add_special_tokens=False)["input_ids"])


# Texts whose beginnings are alike or not; each pair of adapter and text has its own answer.
TEXTS = [
    "the wheel lifts water from the river into the aqueduct, and then",
    "the wheel lifts water from the well",
    "Cheese is made of milk; it ripens for months in a cellar",
    "A noria is a wheel.",
]
SHORT = Sampling(max_tokens=8)
Asked = tuple[int | None, str]
ASKED: list[Asked] = [(adapter, text) for adapter in (None, 0, 1) for text in TEXTS]


def served(tiny: "Tiny", parallel: int = 1, threads: int = 1) -> LlamaCpp:
    return LlamaCpp(
        tiny.base, context=128, parallel=parallel, threads=threads, adapters=tiny.exported
    )


def choice(llama: LlamaCpp, adapter: int | None) -> LLM:
    return llama if adapter is None else llama.with_adapter(adapter)


def streamed(llm: LLM, text: str) -> Completion:
    stream = llm.stream(text, SHORT)
    while True:
        try:
            next(stream)
        except StopIteration as end:
            completion: Completion = end.value
            return completion


def fresh_answers(tiny: "Tiny") -> dict[Asked, str]:
    """What a server that has read nothing else answers."""
    found = {}
    for adapter, text in ASKED:
        with served(tiny) as llama:
            found[adapter, text] = streamed(choice(llama, adapter), text).text
    assert len(set(found.values())) == len(found)
    return found


class TestAdapters:
    """With a real llama.cpp and a tiny model."""

    @pytest.mark.parametrize("parallel", [1, 2, 4])
    def test_no_adapter_is_served_what_another_has_read(self, tiny: "Tiny", parallel: int) -> None:
        """With llama.cpp's cache of prompts, one answer in nine is wrong here (its issue 26207)."""
        fresh = fresh_answers(tiny)
        turns = random.Random(parallel).choices(ASKED, k=150)
        with served(tiny, parallel) as llama:
            one_by_one = [streamed(choice(llama, who), text).text for who, text in turns]
            with ThreadPoolExecutor(4) as pool:
                beside = [
                    completion.text
                    for completion in pool.map(
                        lambda turn: streamed(choice(llama, turn[0]), turn[1]), turns
                    )
                ]
        assert one_by_one == beside == [fresh[turn] for turn in turns]

    def test_batches_of_one_and_of_another_at_once(self, tiny: "Tiny") -> None:
        fresh = fresh_answers(tiny)
        turns = random.Random(0).choices([None, 0, 1], k=12)
        with served(tiny, parallel=2, threads=2) as llama, ThreadPoolExecutor(3) as pool:
            found = pool.map(lambda who: choice(llama, who).batch(TEXTS, SHORT), turns)
            for who, completions in zip(turns, found, strict=True):
                assert [c.text for c in completions] == [fresh[who, text] for text in TEXTS]

    def test_who_ask_about_one_passage_have_it_read_once(self, tiny: "Tiny") -> None:
        def ask(llama: LlamaCpp, who: int, question: str) -> Completion:
            stream = choice(llama, who).stream(" ".join(TEXTS) + question, Sampling(max_tokens=1))
            while True:
                try:
                    next(stream)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]

        questions = [f" {letter}?" for letter in "abcdef"]
        with served(tiny, parallel=3, threads=1) as llama, ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda question: ask(llama, 0, question), questions))
            other = ask(llama, 1, questions[0])
        read = [each.prompt_tokens - each.cached_tokens for each in found]
        assert sorted(read)[-1] == found[0].prompt_tokens  # by the first
        assert sum(tokens > 10 for tokens in read) == 1
        assert other.cached_tokens == 0  # what another adapter has read is of no use

    def test_each_is_an_llm(self, tiny: "Tiny") -> None:
        with served(tiny) as llama:
            for who in (None, 1):
                check_llm(choice(llama, who), [*TEXTS, (Message("user", "Why?"),)])

    def test_the_fingerprint_names_base_and_adapter(self, tiny: "Tiny") -> None:
        with served(tiny) as llama:
            found = [choice(llama, who).fingerprint for who in (None, 0, 1)]
            assert found == [choice(llama, who).fingerprint for who in (None, 0, 1)]
        assert len(set(found)) == 3
        assert found[0] == digest_of(tiny.base)
        with LlamaCpp(tiny.base, context=128, threads=1, adapters=tiny.exported[1:]) as llama:
            assert llama.with_adapter(0).fingerprint == found[2]

    def test_what_was_not_loaded_is_refused(self, tiny: "Tiny") -> None:
        with served(tiny) as llama:
            for place in (-1, 2):
                with pytest.raises(UsageError, match=r"adapter -?\d: 2 were loaded"):
                    llama.with_adapter(place)
                with pytest.raises(UsageError, match="2 were loaded"):
                    llama.batch(TEXTS, SHORT, adapter=place)
                with pytest.raises(UsageError, match="2 were loaded"):
                    next(llama.stream("a", SHORT, adapter=place))

    def test_an_adapter_for_another_model_is_said(self, tiny: "Tiny", tmp_path: Path) -> None:
        from noria.models.adapters import export
        from tiny_llama import adapter, gguf_file, hugging_face

        folder = hugging_face(tmp_path / "wide", intermediate_size=128)
        base = gguf_file(tmp_path / "wide.gguf", folder)
        made = export(adapter(tmp_path / "adapter", folder), base, tmp_path / "cache")
        with pytest.raises(ModelError, match=r"tiny\.gguf with .*adapter\.lora\.gguf"):
            LlamaCpp(tiny.base, context=128, threads=1, adapters=[made])

    def test_ids_are_those_that_are_read(self, tiny: "Tiny") -> None:
        with served(tiny) as llama:
            for prompt in ("<s>the</s>", (Message("user", "the"),)):
                (completion,) = llama.batch([prompt], SHORT)
                assert len(llama.ids(prompt)) == completion.prompt_tokens
            assert llama.ids("<s>the</s>")[0] == 0
            assert llama.following("a").logprobs.keys() == set(range(261))


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


def test_pieces_that_come_quickly_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [100.0], list[str]()
    monkeypatch.setattr("noria.models.llamacpp.monotonic", lambda: now[0])
    together = Together(told.append)
    for piece, seconds in (("a", 0.0), ("b", 0.01), ("c", 0.01), ("d", 0.06), ("e", 0.01)):
        now[0] += seconds
        together(piece)
    assert told == ["a", "bcd"]
    together.rest()
    together.rest()
    assert told == ["a", "bcd", "e"]


class TestRealModel:
    pytestmark = real

    def test_it_answers_in_pieces(self, llm: LlamaCpp) -> None:
        stream = llm.stream(CHAT, Sampling(max_tokens=64))
        pieces = []
        while True:
            try:
                pieces.append(next(stream))
            except StopIteration as end:
                completion = end.value
                break
        assert completion.text == "".join(pieces) != ""
        assert len(pieces) > 1
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

    def test_a_text_is_counted_once(self, llm: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
        counted = llm.count("Counted before the tokenizer goes away.")
        monkeypatch.setattr(llm, "_ask", None)
        assert llm.count("Counted before the tokenizer goes away.") == counted > 0

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

    def test_adapters_beside_each_other(self, path: Path, tmp_path: Path) -> None:
        """Asked with one, then another, then the base, each answers as in a server of its own.

        In these turns llama.cpp's cache of prompts would serve what another adapter has read.
        """
        from noria.models.adapters import export
        from noria.models.cache import default_cache
        from noria.models.gguf import converted
        from tiny_llama import adapter

        folder = converted(path, default_cache())
        made = [
            export(adapter(tmp_path / str(seed), folder, seed, 0.04), path, tmp_path / "cache")
            for seed in (1, 2)
        ]
        long, short = "A noria is a wheel that lifts water. " * 8, "Once upon a time, in Hama,"
        turns = [
            (0, long), (1, short), (1, long), (None, short), (None, long), (0, short), (0, long)
        ]  # fmt: skip

        def answers(*places: int) -> list[tuple[str, float]]:
            """What is written, and how likely the likeliest next token is."""
            with LlamaCpp(path, context=512, parallel=1, threads=1, adapters=made) as one:
                found = []
                for adapter, prompt in (turns[place] for place in places):
                    (told,) = choice(one, adapter).batch([prompt], Sampling(max_tokens=8))
                    likeliest = max(one.following(prompt, adapter).logprobs.values())
                    found.append((told.text, likeliest))
                return found

        found = answers(*range(len(turns)))
        assert len({(text, round(likeliest, 2)) for text, likeliest in found}) == 6
        for place, (text, likeliest) in enumerate(found):
            (alone,) = answers(place)
            assert alone == (text, pytest.approx(likeliest, abs=1e-3))

    def test_a_closed_model_says_so(self, path: Path) -> None:
        llm = LlamaCpp(path, context=256, parallel=1, threads=1)
        llm.close()
        llm.close()
        with pytest.raises(ModelError, match="closed"):
            llm.count("x")
        with pytest.raises(ModelError, match="closed"):
            llm.batch(["x", "y"], Sampling())
