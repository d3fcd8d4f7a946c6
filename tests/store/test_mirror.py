import socket
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import mlflow.tracking as mlflow_tracking
import pytest

from noria.store.artifacts import Artifacts
from noria.store.mirror import TAG, embedded, fit, mirror, patient
from noria.store.registry import Registry
from noria.store.releases import Run, made

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def registry(tmp_path):
    at = Registry(f"sqlite:///{tmp_path / 'state.db'}", Artifacts(tmp_path / "artifacts"))
    yield at
    at.close()


def trained(at, n=1):
    base = at.add(made("base", {"base": "0f"}, NOW))
    name = {"name": "support tickets"}
    data = at.add(made("dataset", {"dataset": "d1"}, NOW, recipe=name))
    recipe = {"objective": "radit", "lora": {"rank": 16}, "note": "x" * 9000}
    metrics = {"f1": 0.53, "ndcg@10": 0.7, "loss": 1.5}
    parts = {"adapter": str(n), "base": "0f", "dataset": "d1"}
    release = made("adapter", parts, NOW, (), [base.id, data.id], recipe, metrics)
    curve = tuple((step, 2.0 / step) for step in range(1, 1502))
    curves = {"loss": curve, "held_out_loss": ((10, 2.0), (20, 1.5))}
    return at.add(release, Run(curves, {"torch": "2.13.0", "machine": "cpu"}, 60.0))


def client(tmp_path):
    return mlflow_tracking.MlflowClient(embedded(tmp_path))


def runs(at, release):
    experiment = at.get_experiment_by_name("noria")
    return at.search_runs([experiment.experiment_id], f"tags.`{TAG}` = '{release.id}'")


def test_people_see_the_run_with_its_curves_in_mlflow(registry, tmp_path):
    release = trained(registry)
    told = mirror(registry, tmp_path)
    assert told.problem == ""
    assert release.id in told.written
    assert len(told.written) == 2  # the data set is an input
    at = client(tmp_path)
    (run,) = runs(at, release)
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 60_000
    assert run.data.params["lora.rank"] == "16"
    assert len(run.data.params["note"]) == 500
    assert run.data.metrics["f1"] == 0.53
    assert run.data.metrics["ndcg_at_10"] == 0.7
    assert run.data.metrics["final/loss"] == 1.5
    losses = at.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in losses] == [(s, 2.0 / s) for s in range(1, 1502)]
    held = at.get_metric_history(run.info.run_id, "held_out_loss")
    assert [(m.step, m.value) for m in held] == [(10, 2.0), (20, 1.5)]
    data, base = registry.latest("dataset"), registry.latest("base")
    assert run.data.tags["noria.dataset"] == data.id
    assert run.data.tags["noria.made_from"] == f"{base.id} {data.id}"
    assert run.data.tags["environment.torch"] == "2.13.0"
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("support tickets", data.id)
    (version,) = at.search_model_versions(f"tags.`{TAG}` = '{release.id}'")
    assert (version.name, version.run_id) == ("noria-adapter", run.info.run_id)
    whole = tmp_path / "mlflow" / "artifacts" / run.info.run_id / "artifacts/release/release.json"
    assert release.id in whole.read_text()


def test_again_writes_what_is_missing_and_nothing_twice(registry, tmp_path):
    first = trained(registry)
    mirror(registry, tmp_path)
    again = mirror(registry, tmp_path)
    assert (again.written, again.held, again.problem) == ((), 2, "")
    second = trained(registry, 2)
    assert mirror(registry, tmp_path).written == (second.id,)
    at = client(tmp_path)
    assert len(runs(at, first)) == len(runs(at, second)) == 1
    versions = at.search_model_versions("name = 'noria-adapter'")
    assert {v.tags[TAG] for v in versions} == {first.id, second.id}
    assert len(versions) == 2


@pytest.mark.parametrize("call", ["log_batch", "log_inputs", "log_dict", "set_terminated"])
def test_what_was_left_half_is_made_again(registry, tmp_path, monkeypatch, call):
    release = trained(registry)

    def fails(*_: object, **__: object) -> None:
        raise ConnectionError("https://ada:secret@example.com went away\nlong trace")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow_tracking.MlflowClient, call, fails)
        told = mirror(registry, tmp_path)
    assert "https://example.com went away; the releases are safe" in told.problem
    assert "noria releases mirror" in told.problem
    assert "secret" not in told.problem
    assert "trace" not in told.problem
    assert mirror(registry, tmp_path).problem == ""
    at = client(tmp_path)
    for one in (registry.latest("base"), release):  # the base was the one that failed
        (run,) = runs(at, one)
        (version,) = at.search_model_versions(f"tags.`{TAG}` = '{one.id}'")
        assert version.run_id == run.info.run_id


def test_many_mirror_at_once_and_nothing_is_there_twice(registry, tmp_path):
    release = trained(registry)
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda _: mirror(registry, tmp_path), range(3)))
    assert [one.problem for one in told] == ["", "", ""]
    assert sorted(len(one.written) for one in told) == [0, 0, 2]
    assert len(runs(client(tmp_path), release)) == 1


def test_mlflow_prints_nothing_where_results_are_printed():
    from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT

    with patient():
        assert MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.get()
    assert not MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.get()


def test_a_server_that_is_not_there_loses_nothing(registry, tmp_path, monkeypatch):
    release = trained(registry)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ada:secret@127.0.0.1:{port}")
    told = mirror(registry, tmp_path)
    assert told.written == ()
    where = f"MLflow at http://127.0.0.1:{port}"
    assert told.problem.startswith(f"{where} has not everything: it does not answer; the releases")
    assert "secret" not in told.problem + told.place
    assert registry.get(release.id) == release
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert release.id in mirror(registry, tmp_path).written


def test_a_server_that_never_answers_is_given_up(registry, tmp_path, monkeypatch):
    trained(registry)
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = []

        def accept() -> None:
            while True:
                try:
                    calls.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        told = mirror(registry, tmp_path)
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for call in calls:
            call.close()
    assert calls
    assert "has not everything" in told.problem


def test_the_chosen_place_is_respected(registry, tmp_path, monkeypatch):
    trained(registry)
    other = tmp_path / "other" / "x.db"
    monkeypatch.chdir(tmp_path)  # MLflow puts its artifacts where one stands
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    told = mirror(registry, tmp_path)
    assert (told.problem, told.place) == ("", f"sqlite:///{other}")
    at = mlflow_tracking.MlflowClient(f"sqlite:///{other}")
    assert at.get_experiment_by_name("mine") is not None
    assert not (tmp_path / "mlflow" / "mlflow.db").exists()


def test_a_damaged_database_is_told_at_once(registry, tmp_path):
    trained(registry)
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_text("not a database, but a text" * 100)
    assert "not a database" in mirror(registry, tmp_path).problem


def test_no_mlflow_is_told(registry, tmp_path, monkeypatch):
    trained(registry)
    monkeypatch.setitem(__import__("sys").modules, "mlflow.tracking", None)
    problem = mirror(registry, tmp_path).problem
    assert "needs the package 'mlflow.tracking'" in problem
    assert "noria[tune]" in problem


def test_the_mirror_leaves_the_store_alone(registry, tmp_path):
    release = trained(registry)
    before = sqlite3.connect(tmp_path / "state.db").execute("SELECT * FROM releases").fetchall()
    mirror(registry, tmp_path)
    after = sqlite3.connect(tmp_path / "state.db").execute("SELECT * FROM releases").fetchall()
    assert before == after
    assert registry.get(release.id).at == NOW + timedelta(0)


@pytest.mark.parametrize("name", ["", "/", "..", "a" * 300, "ü/é", "a\nb", "../../etc", "x//y/"])
def test_any_name_becomes_one_that_mlflow_takes(name):
    from mlflow.utils.validation import _validate_metric_name, _validate_param_name

    _validate_metric_name(fit(name))
    _validate_param_name(fit(name))
