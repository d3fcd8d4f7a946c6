"""Asks fake models general questions, twice; reads what is left behind, and what is printed."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from noria import build, cli
from noria.errors import DataError, UsageError
from noria.evaluate.forgetting import asking, suite
from noria.evaluate.forgetting.asking import ROUND, again, ask, planned, read, write
from noria.evaluate.forgetting.general import Plan, evaluate, figures, plan, told
from noria.models.fake import FakeScorer
from noria.protocols import Scorer
from noria.types import Likelihood, Prompt

WORDS = ("wheel", "river", "field", "grain", "stone", "bucket", "axle", "rope", "mill", "spring")


class Forgetful(FakeScorer):
    """Finds wrong what it found right before, and texts less likely."""

    def score(
        self,
        prompts: Sequence[Prompt],
        continuations: Sequence[str],
        done: Callable[[int, Likelihood], None] | None = None,
    ) -> list[Likelihood]:
        found = super().score(prompts, continuations, done)
        return [
            Likelihood(
                1 / it.logprob if str(prompt).startswith("Question") else 1.1 * it.logprob,
                it.tokens,
            )
            for prompt, it in zip(prompts, found, strict=True)
        ]


def question(word: str, number: int) -> dict[str, Any]:
    """Its answer stands in it, as ``FakeScorer`` likes it."""
    other = WORDS[(WORDS.index(word) + 1) % len(WORDS)]
    return {"question": f"Is {word} {number} a {word}?", "choices": [other, word], "answer": word}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A set that is known, one that is not, and twelve texts."""
    folder = tmp_path / "general"
    folder.mkdir()
    known = [question(word, number) for number in range(10) for word in WORDS]
    unknown = [{**each, "answer": n % 2} for n, each in enumerate(known)]
    stories = [f"{word} and {word} lift water to fields. " * 12 for word in (*WORDS, "sun", "moon")]
    for name, records in {"known": known, "unknown": unknown}.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)))
    (folder / "stories.txt").write_text("\n".join(stories))
    return folder


def ticking(step: float) -> Callable[[], float]:
    """A clock that goes on by ``step`` each time it is looked at."""
    times: Iterator[float] = (step * n for n in range(10**6))
    return lambda: next(times)


def run(data: Path, out: Path, scorer: Scorer, against: Path | None = None) -> dict[str, Any]:
    return evaluate(plan(data, out, against=against), scorer, ticking(0.001), about={"model": "m"})


def test_every_figure_can_be_computed_again(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = run(data, out, FakeScorer())
    assert json.loads((out / "metrics.json").read_text()) == result
    again = figures(read(out))
    timeless = {name: value for name, value in again.items() if name != "seconds"}
    assert timeless == {name: result[name] for name in timeless}
    first = json.loads((out / "general.jsonl").read_text().splitlines()[0])
    assert first.keys() == {"set", "id", "logprobs", "bytes", "right"}


def test_sets_count_only_beyond_chance(data: Path, tmp_path: Path) -> None:
    result = run(data, tmp_path / "run", FakeScorer())
    assert list(result["sets"]) == ["known"]
    assert result["sets"]["known"]["accuracy"] == 1.0
    assert result["dropped"]["unknown"]["accuracy"] == 0.5
    assert result["asked"] == result["planned"] == 212
    assert result["perplexity"] == pytest.approx(result["text"]["perplexity"])
    assert result["text"]["documents"] == 12
    assert list(result["text"]["files"]) == ["stories"]


def test_the_same_model_has_forgotten_nothing(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "before", FakeScorer())
    result = run(data, tmp_path / "after", FakeScorer(), against=tmp_path / "before")
    assert result["against"]["worse"] == []
    assert result["against"]["text"]["difference"] == 0.0
    assert result["asked"] == 112  # the dropped set is not asked again
    assert list(result["sets"]) == ["known"]
    assert result["dropped"] == {}


@pytest.mark.parametrize("name", ["", "metrics.json", "general.jsonl"])
def test_what_was_forgotten_is_told(name: str, data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "before", FakeScorer())
    result = run(data, tmp_path / "after", Forgetful(), against=tmp_path / "before" / name)
    against = result["against"]
    assert against["worse"] == ["known", "text"]
    assert against["sets"]["known"]["difference"] == -1.0
    assert against["model"] == "m"
    assert result["sets"]["known"]["accuracy"] == 0.0  # kept: the base beat chance on it
    text = told(result)
    assert "known: -100.0 points (-100.0 to -100.0; n = 100" in text
    assert "worse beyond chance: known, text" in text


def test_questions_that_are_gone_are_counted(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "before", FakeScorer())
    lines = (data / "known.jsonl").read_text().splitlines()
    (data / "known.jsonl").write_text("\n".join(lines[7:]))
    result = run(data, tmp_path / "after", FakeScorer(), against=tmp_path / "before")
    assert any(p.startswith("7 questions or texts of") for p in result["problems"])
    assert result["against"]["sets"]["known"]["n"] == 93
    (data / "known.jsonl").unlink()
    (data / "stories.txt").unlink()
    with pytest.raises(UsageError, match="none of the questions and texts"):
        plan(data, tmp_path / "later", against=tmp_path / "before")


def test_an_earlier_run_is_not_written_over(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "run", FakeScorer())
    with pytest.raises(UsageError, match="holds an earlier run"):
        plan(data, tmp_path / "run")


def test_what_is_no_earlier_run_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"general\.jsonl: cannot be read"):
        plan(data, tmp_path / "run", against=tmp_path)
    (tmp_path / "general.jsonl").write_text('{"set": "a"}\n')
    with pytest.raises(DataError, match="not what noria evaluate general writes"):
        plan(data, tmp_path / "run", against=tmp_path)
    (tmp_path / "general.jsonl").write_text("")
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(DataError, match=r"metrics\.json: not what"):
        plan(data, tmp_path / "run", against=tmp_path)


def test_one_question_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(json.dumps(question("mill", 1)))
    result = run(tmp_path, tmp_path / "run", FakeScorer())
    assert result["sets"] == {}
    assert result["perplexity"] is None
    assert "one: 100.0 %" in told(result)


def test_it_stops_before_it_is_late(data: Path) -> None:
    tasks = planned(suite.read(data))
    whole = ask(tasks, FakeScorer(), ticking(1.0))
    assert len(asking.all_of(whole)) == whole.planned == len(tasks) > 3 * ROUND
    # the clock is looked at before and after a round: each takes one second, and one goes between
    part = ask(tasks, FakeScorer(), ticking(1.0), max_seconds=4.5)
    assert len(asking.all_of(part)) == 2 * ROUND
    assert len(asking.all_of(ask(tasks, FakeScorer(), ticking(1.0), max_seconds=0.1))) == ROUND


def test_what_was_asked_in_time_is_a_fair_part(data: Path, tmp_path: Path) -> None:
    tasks = planned(suite.read(data))
    sets = [name for name, _ in tasks[:ROUND]]
    assert abs(sets.count("known") - sets.count("unknown")) <= 1
    assert sets.count("stories") in (3, 4)
    cut = Plan(tuple(tasks), tmp_path / "run")
    result = evaluate(cut, FakeScorer(), ticking(1.0), max_seconds=0.1)
    assert f"{ROUND} of {len(tasks)} questions and texts were asked" in result["problems"][0]


def test_fewer_questions_are_a_part_of_more(data: Path) -> None:
    known = suite.read(data)
    few, many = ({(name, each.id) for name, each in planned(known, n, n)} for n in (5, 9))
    assert few < many
    assert len(few) == 15


def test_progress_goes_up_to_the_end(data: Path) -> None:
    told: list[int] = []
    tasks = planned(suite.read(data), 40)

    def progress(stage: str, done: int, total: int) -> None:
        assert (stage, total) == ("questions and texts", len(tasks))
        told.append(done)

    ask(tasks, FakeScorer(), ticking(1.0), progress=progress)
    assert told == sorted(told)
    assert told[-1] == len(tasks)


def test_outcomes_come_back_as_they_were_written(data: Path, tmp_path: Path) -> None:
    outcomes = ask(planned(suite.read(data)), FakeScorer(), ticking(1.0))
    write(outcomes, tmp_path / "run")
    found = read(tmp_path / "run")
    assert (found.chosen, found.heard) == (outcomes.chosen, outcomes.heard)
    same, gone = again(suite.read(data), found, {"known", "unknown"})
    assert (set(same), gone) == (set(planned(suite.read(data))), 0)


@pytest.fixture
def typed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Types ``noria evaluate general …`` at a desk; gives exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NORIA_DATA", raising=False)

    def type_it(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["noria", "evaluate", "general", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return type_it


class Fake(FakeScorer):
    """A fake with the fingerprint that weights have."""

    fingerprint = "abc"


def test_the_command(
    typed: Callable[..., tuple[int, str, str]], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.House, "scorer", Fake())
    code, out, _ = typed("--data", "general", "--json", "--out", "one", "--per-set", "50")
    first = json.loads(out)
    assert (code, first["model"], first["asked"]) == (0, "abc", 112)
    assert first["sets"]["known"].keys() >= {"accuracy", "low", "high", "n", "chance"}
    monkeypatch.setenv("NORIA_DATA", str(data.parent))
    code, out, _ = typed("--against", "one/metrics.json")
    assert (code, "worse beyond chance: nothing" in out) == (0, True)
    assert len(list(Path(".noria/evaluations").glob("general-*/metrics.json"))) == 1
    code, _, err = typed("--out", "one")
    assert (code, "holds an earlier run" in err) == (2, True)


def test_without_questions_the_command_says_what_to_do(
    typed: Callable[..., tuple[int, str, str]],
) -> None:
    code, _, err = typed()
    assert (code, "name a folder with --data" in err) == (2, True)


def test_an_endpoint_cannot_be_asked(typed: Callable[..., tuple[int, str, str]]) -> None:
    Path("noria.toml").write_text('[models]\ngenerator = "http://me:secret@localhost:1/v1"\n')
    code, _, err = typed("--data", "general")
    assert (code, "does not tell how likely a given text is" in err) == (2, True)
    assert "secret" not in err
