"""A model is replaced while requests run: none fails, each ends as it began, the old is closed."""

import threading
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import pytest

from noria.errors import ModelError
from noria.models.fake import FakeLLM
from noria.models.handover import Engine, Handover
from noria.testing.laws import check_llm
from noria.types import Completion, Prompt, Sampling

if TYPE_CHECKING:
    from tiny_llama import Tiny

WARM = ["warm"]


class Named(FakeLLM):
    """Says its name, word by word; knows whether it was closed, and how often."""

    def __init__(self, name: str) -> None:
        super().__init__(lambda prompt: f"{name} {name} {name}")
        self.name, self.closed = name, 0

    @property
    def fingerprint(self) -> str:
        return self.name

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        stream = super().stream(prompt, sampling)
        while True:
            assert not self.closed
            try:
                yield next(stream)
            except StopIteration as end:
                completion: Completion = end.value
                return completion

    def close(self) -> None:
        self.closed += 1

    @property
    def engine(self) -> Engine:
        return Engine(self, self.close)


def said(llm: Handover) -> str:
    return llm.batch(["?"], Sampling())[0].text


def test_requests_that_run_end_with_what_they_began_with() -> None:
    old, new = Named("old"), Named("new")
    llm = Handover(old.engine)
    running = llm.stream("?", Sampling())
    pieces = [next(running)]
    llm.replace(lambda: new.engine, WARM, seconds=0)
    assert (llm.fingerprint, said(llm)) == ("new", "new new new")
    assert not old.closed
    pieces += list(running)
    assert "".join(pieces) == "old old old"
    assert (old.closed, new.closed) == (1, 0)


def test_a_stream_that_is_left_lets_go() -> None:
    old = Named("old")
    llm = Handover(old.engine)
    begun, never = llm.stream("?", Sampling()), llm.stream("?", Sampling())
    next(begun)
    llm.replace(lambda: Named("new").engine, WARM, seconds=0)
    assert not old.closed
    begun.close()
    assert old.closed == 1
    assert next(never).strip() == "new"  # it begins now


def test_an_idle_one_is_closed_at_once() -> None:
    names = [Named(str(n)) for n in range(4)]
    llm = Handover(names[0].engine)
    for each in names[1:]:
        done = llm.replace(lambda each=each: each.engine, WARM)
        assert done.warming >= 0
        assert done.switching >= 0
    assert [each.closed for each in names] == [1, 1, 1, 0]
    llm.close()
    llm.close()
    assert names[3].closed == 1
    with pytest.raises(ModelError, match="closed"):
        said(llm)
    with pytest.raises(ModelError, match="closed"):
        llm.replace(lambda: pytest.fail("loaded for nothing"), WARM)


def test_what_cannot_be_warmed_replaces_nothing() -> None:
    class Broken(Named):
        def batch(
            self,
            prompts: Sequence[Prompt],
            sampling: Sampling,
            done: Callable[[int, Completion], None] | None = None,
        ) -> list[Completion]:
            raise ModelError("the prompt is too long")

    def absent() -> Engine:
        raise ModelError("no such file")

    old, broken = Named("old"), Broken("broken")
    llm = Handover(old.engine)
    for make, message in ((absent, "no such file"), (lambda: broken.engine, "too long")):
        with pytest.raises(ModelError, match=message):
            llm.replace(make, WARM)
    assert said(llm) == "old old old"
    assert (old.closed, broken.closed) == (0, 1)


def test_it_waits_for_the_last_request() -> None:
    old = Named("old")
    llm = Handover(old.engine)
    begun, closed_when_back = threading.Event(), []
    running = llm.stream("?", Sampling())
    next(running)

    def replace() -> None:
        begun.set()
        llm.replace(lambda: Named("new").engine, WARM)
        closed_when_back.append(old.closed)

    waiting = threading.Thread(target=replace)
    waiting.start()
    begun.wait()
    list(running)
    waiting.join(10)
    assert closed_when_back == [1]


def test_the_last_request_may_end_as_the_switch_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = Named("old")
    llm = Handover(old.engine)
    running = llm.stream("?", Sampling())
    next(running)
    readings = iter([lambda: None, lambda: None, lambda: list(running)])  # the third: switched

    def perf_counter() -> float:
        next(readings)()
        return 0.0

    monkeypatch.setattr("noria.succession.time.perf_counter", perf_counter)
    llm.replace(lambda: Named("new").engine, WARM)
    assert next(readings, None) is None
    assert old.closed == 1


def test_pinned_is_one_model_to_the_end() -> None:
    old = Named("old")
    llm = Handover(old.engine)
    with llm.pinned() as held:
        llm.replace(lambda: Named("new").engine, WARM, seconds=0)
        assert held.fingerprint == "old"
        assert held.batch(["?"], Sampling())[0].text == "old old old"
        assert not old.closed
    assert old.closed == 1


def test_it_keeps_the_laws() -> None:
    llm = Handover(Engine(FakeLLM(), lambda: None))
    check_llm(llm, ["The wheel lifts water.\nWhat lifts water?", "Nothing.\nWhy?"])


def test_under_load_no_request_fails_or_is_answered_by_two(tiny: "Tiny") -> None:
    """Two adapters, in llama.cpp, that take turns while four threads ask."""
    from noria.models.llamacpp import LlamaCpp

    sampling = Sampling(max_tokens=8)

    def engine(place: int) -> Engine:
        llama = LlamaCpp(
            tiny.base, context=128, parallel=2, threads=1, adapters=[tiny.exported[place]]
        )
        return Engine(llama.with_adapter(0), llama.close)

    texts = ["the wheel lifts water", "Cheese is made of milk", "A noria"]
    expected: dict[tuple[str, str], str] = {}
    for place in (0, 1):
        alone = engine(place)
        for text, completion in zip(texts, alone.llm.batch(texts, sampling), strict=True):
            expected[alone.llm.fingerprint, text] = completion.text
        alone.close()
    assert len(set(expected.values())) == 6

    llm, stop = Handover(engine(0)), threading.Event()
    answers: list[tuple[str, str, str]] = []
    errors: list[BaseException] = []

    def ask() -> None:
        turn = 0
        try:
            while not stop.is_set():
                turn += 1
                text = texts[turn % len(texts)]
                with llm.pinned() as held:
                    answer = "".join(held.stream(text, sampling))
                    answers.append((held.fingerprint, text, answer))
        except BaseException as error:
            errors.append(error)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for each in askers:
        each.start()
    for turn in range(6):
        llm.replace(lambda turn=turn: engine(1 - turn % 2), texts)
    stop.set()
    for each in askers:
        each.join(30)
    llm.close()
    assert errors == []
    assert {fingerprint for fingerprint, _, _ in answers} == {name for name, _ in expected}
    assert all(answer == expected[name, text] for name, text, answer in answers)
