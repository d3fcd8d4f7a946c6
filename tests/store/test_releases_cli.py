import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from noria.cli.releases import app
from noria.errors import DataError, UsageError
from noria.store.artifacts import Artifacts
from noria.store.registry import Registry
from noria.store.releases import Run, made

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with a base, a data set and an adapter."""
    for name in ("MLFLOW_TRACKING_URI", "NORIA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    at = Registry(f"sqlite:///{home / 'state.db'}", Artifacts(home / "artifacts"))
    base = at.add(made("base", {"base": "0f"}, NOW))
    (home / "examples").write_bytes(b"x" * 2_000_000)
    digest = at.artifacts.put(home / "examples")
    data = at.add(made("dataset", {"dataset": digest}, NOW, ["dataset"]))
    at.add(
        made(
            "adapter", {"adapter": digest, "base": "0f"}, NOW, ["adapter"], [base.id, data.id],
            {"objective": "sft"}, {"f1": 0.53},
        ),
        Run(seconds=3.0),
    )  # fmt: skip
    at.close()
    return home


def ask(home, *arguments, code=0):
    """What a command prints as JSON, and what it says beside."""
    run = CliRunner().invoke(
        app, [*arguments, "--json", "--home", str(home)], catch_exceptions=False
    )
    assert run.exit_code == code
    return json.loads(run.stdout), run.stderr


def say(home, *arguments):
    run = CliRunner().invoke(app, [*arguments, "--home", str(home)], catch_exceptions=False)
    assert run.exit_code == 0
    return run.stdout


def ids(told):
    return [release["kind"] for release in told["releases"]]


def test_list_says_what_there_is(home):
    told, _ = ask(home, "list")
    assert sorted(ids(told)) == ["adapter", "base", "dataset"]
    (adapter,) = (r for r in told["releases"] if r["kind"] == "adapter")
    assert adapter["bytes"] == 2_000_000
    assert adapter["metrics"] == {"f1": 0.53}
    assert ids(ask(home, "list", "--kind", "base")[0]) == ["base"]
    assert ids(ask(home, "list", "--objective", "sft")[0]) == ["adapter"]
    assert ids(ask(home, "list", "--dataset", "d")[0]) == ["adapter"]
    assert ids(ask(home, "list", "--dataset", "0" * 64)[0]) == []
    assert "none is like that" in say(home, "list", "--objective", "raft")
    assert f"{adapter['id']}  adapter  sft        2026-11-21T09:30     2.0 MB  f1 0.53" in say(
        home, "list"
    )
    assert "nothing is registered yet" in say(home / "empty", "list")


def test_show_says_all_of_one(home):
    told, _ = ask(home, "show", "a")
    assert told["recipe"] == {"objective": "sft"}
    assert [one["kind"] for one in told["lineage"]] == ["base", "dataset"]
    assert told["run"]["seconds"] == 3.0
    assert told["paths"].keys() == {"adapter"}
    text = say(home, "show", "a")
    assert "base: 0f  (its digest alone)" in text
    assert "objective: sft" in text
    assert "nothing that is registered" in say(home, "show", "b")


def test_export_and_import_carry_a_release(home, tmp_path):
    told, beside = ask(home, "export", "a", "a.noria")
    assert "it holds training data" in beside
    assert f"{told['release']}: only the digest of: base" in beside
    assert told["bytes"] == (tmp_path / "a.noria").stat().st_size
    taken, _ = ask(tmp_path / "other", "import", "a.noria")
    assert taken["release"] == told["release"]
    assert taken["releases"] == told["releases"]
    assert ask(tmp_path / "other", "show", "a")[0]["recipe"] == {"objective": "sft"}


def test_what_is_wrong_is_said(home):
    with pytest.raises(UsageError, match="no release 'r9'; the newest are"):
        ask(home, "show", "r9")
    with pytest.raises(UsageError, match="--kind: expected one of base, adapter"):
        ask(home, "list", "--kind", "modell")
    with pytest.raises(DataError, match="no such file"):
        ask(home, "import", "nothing.noria")


def test_mirror_says_what_it_wrote_and_fails_when_it_cannot(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/no/such.db")
    told, beside = ask(home, "mirror", code=1)
    assert told["written"] == []
    assert told["problem"] == beside.strip()
    assert "the releases are safe" in beside
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    told, _ = ask(home, "mirror")
    assert len(told["written"]) == 2
    assert ask(home, "mirror")[0]["held"] == 2
