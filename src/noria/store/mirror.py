"""Releases for people to look at in MLflow, written after the fact. Nothing is served from there.

Without a server: MLflow's own SQLite file and folder in the home; else ``MLFLOW_TRACKING_URI``.
Each release is a run whose tag ``noria.release`` is its id, finished when all of it is written: an
unfinished one is made again. What MLflow lacks is written by the next call. Data sets are inputs of
runs. Weights stay where they are; MLflow gets the release as JSON.
"""

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from noria.errors import MissingExtraError
from noria.jobs import locked
from noria.store.registry import Registry
from noria.store.releases import Run, as_json, canonical
from noria.types import Release

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

EXPERIMENT = "noria"  # unless MLFLOW_EXPERIMENT_NAME says another
TAG = "noria.release"
TURN = 60.0  # seconds to wait for another process that mirrors
PAGE = 1000  # runs asked for at a time
METRICS, PARAMS = 1000, 100  # that MLflow takes at a time
VALUE, KEY, DIGEST = 500, 250, 36  # characters that every MLflow takes
# A dead server is given up after seconds; MLflow's own patience is many minutes.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "PGCONNECT_TIMEOUT": "10",
}
# Else its client prints addresses where the command line prints its result.
SILENCE = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
LOUD = ("mlflow", "alembic", "urllib3.connectionpool")  # loggers that write to the terminal
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a call wrote to MLflow, and how much was there. ``problem``: why it wrote no more."""

    place: str
    written: tuple[str, ...] = ()
    held: int = 0
    problem: str = ""


def mirror(registry: Registry, home: Path) -> Mirrored:
    """Write to MLflow the releases that it lacks, the oldest first.

    A failure is told in the result, never raised: the registry has everything, and MLflow gets
    what it lacks the next time.
    """
    place = os.environ.get("MLFLOW_TRACKING_URI") or embedded(home)
    held, written = 0, list[str]()
    try:
        with locked(home / "mlflow" / "lock", "mirroring to MLflow", TURN), patient():
            client = connected(place)
            experiment = experiment_of(client, home if place == embedded(home) else None)
            known, halves = there(client, experiment)
            wanted = [r for r in reversed(registry.list()) if r.kind != "dataset"]
            held = sum(release.id in known for release in wanted)
            for release in wanted:
                if release.id not in known:
                    for half in halves.get(release.id, []):
                        client.delete_run(half)
                    run = registry.run(release.id) or Run()
                    write(client, experiment, release, run, datasets(registry, release))
                    written.append(release.id)
    except Exception as error:  # whatever MLflow, its server or its database raise: it is told
        return Mirrored(discreet(place), tuple(written), held, told(error, place))
    return Mirrored(discreet(place), tuple(written), held)


def embedded(home: Path) -> str:
    """MLflow's database in the home."""
    return f"sqlite:///{(home / 'mlflow' / 'mlflow.db').resolve()}"


def told(error: Exception, place: str) -> str:
    """One line of what went wrong, and what to do."""
    text = discreet((str(error).splitlines() or [""])[0])[:300] or type(error).__name__
    reason = "it does not answer" if "Max retries exceeded" in text else text
    return (
        f"MLflow at {discreet(place)} has not everything: {reason}; the releases are safe: when it "
        "is back, run: noria releases mirror"
    )


def discreet(text: str) -> str:
    """``text`` without the user and password of its URLs.

    >>> discreet("https://ada:secret@example.com/x")
    'https://example.com/x'
    """
    return re.sub(r"//[^/\s@]*@", "//", text)


@contextmanager
def patient() -> Iterator[None]:
    """MLflow gives up after seconds, tells nobody of its use, and leaves the terminal alone."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    wanted = PATIENCE | SILENCE
    fresh = {name: value for name, value in wanted.items() if name not in os.environ}
    levels = {name: logging.getLogger(name).level for name in LOUD}
    os.environ.update(fresh)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries about each other
            import_mlflow()  # it sets the level of its logger
            for name in LOUD:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
    finally:
        for name in fresh:
            os.environ.pop(name, None)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def import_mlflow() -> None:
    """Load MLflow; raise MissingExtraError where it is not installed."""
    try:
        import alembic  # noqa: F401
        import mlflow.tracking  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "mlflow-skinny", "tune") from None


def connected(place: str) -> "MlflowClient":
    """A client; raises at once where MLflow would try a broken database for minutes."""
    from mlflow.tracking import MlflowClient
    from sqlalchemy import create_engine, inspect

    if place.startswith(DATABASES):
        if place.startswith("sqlite:///"):
            Path(place.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(place)
        try:
            inspect(engine).get_table_names()
        finally:
            engine.dispose()
    return MlflowClient(place)


def experiment_of(client: "MlflowClient", home: Path | None) -> str:
    """The id of the experiment; made if there is none. ``home``: where the embedded one has it."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    folder = (home / "mlflow" / "artifacts").resolve().as_uri() if home else None
    return str(client.create_experiment(name, artifact_location=folder))


def there(client: "MlflowClient", experiment: str) -> tuple[frozenset[str], dict[str, list[str]]]:
    """Ids of the releases that MLflow has whole, and the unfinished runs of others."""
    whole, halves, token = set(), dict[str, list[str]](), None
    while True:
        page = client.search_runs([experiment], max_results=PAGE, page_token=token)
        for run in page:
            release = run.data.tags.get(TAG, "")
            if run.info.status == "FINISHED":
                whole.add(release)
            else:
                halves.setdefault(release, []).append(run.info.run_id)
        token = page.token
        if not token:
            return frozenset(whole), halves


def datasets(registry: Registry, release: Release) -> dict[str, str]:
    """The data sets that a release learnt from, id -> name; one not registered by its digest."""
    lineage = registry.lineage(release)
    found = {r.id: str(r.recipe.get("name") or r.id) for r in lineage if r.kind == "dataset"}
    if not found and "dataset" in release.parts:
        return {release.parts["dataset"]: release.parts["dataset"]}
    return found


def write(
    client: "MlflowClient",
    experiment: str,
    release: Release,
    run: Run,
    learnt: Mapping[str, str],
) -> None:
    """Write one release as a run and a version of a registered model; its end is written last."""
    began = int(release.at.timestamp() * 1000)
    name = f"{release.objective or release.kind} {release.id}"
    tags = {TAG: release.id, "noria.dataset": " ".join(learnt)[:VALUE]}
    made = client.create_run(experiment, began, tags, name).info.run_id
    log(client, made, release, run, began)
    if learnt:
        inputs(client, made, learnt)
    client.log_dict(made, as_json(release), "release/release.json")
    version(client, made, release)
    client.set_terminated(made, "FINISHED", began + int(run.seconds * 1000))


def log(client: "MlflowClient", made: str, release: Release, run: Run, at: int) -> None:
    """Parameters, tags, curves and final figures."""
    from mlflow.entities import Metric, Param, RunTag

    curves = {fit(name): curve for name, curve in run.curves.items()}
    last = {fit(name): value for name, value in release.metrics.items()}
    points = [Metric(name, v, at, step) for name, curve in curves.items() for step, v in curve]
    points += [Metric(f"final/{n}" if n in curves else n, v, at, 0) for n, v in last.items()]
    params = [Param(name, value) for name, value in flat(release.recipe).items()]
    tags = [RunTag(name, value) for name, value in tags_of(release, run).items()]
    for some in slices(points, METRICS):
        client.log_batch(made, metrics=some)
    for few in slices(params, PARAMS):
        client.log_batch(made, params=few)
    for several in slices(tags, PARAMS):
        client.log_batch(made, tags=several)


def tags_of(release: Release, run: Run) -> dict[str, str]:
    """What is said of a run: its release, the parts and ancestors, what it was made with."""
    tags = {"noria.kind": release.kind, "noria.made_from": " ".join(release.made_from)}
    tags |= {f"noria.part.{name}": digest for name, digest in release.parts.items()}
    tags |= {f"environment.{name}": value for name, value in run.environment.items()}
    return {fit(name): value[:VALUE] for name, value in tags.items()}


def inputs(client: "MlflowClient", made: str, learnt: Mapping[str, str]) -> None:
    """The data sets that it learnt from."""
    from mlflow.entities import Dataset, DatasetInput

    sets = [
        DatasetInput(Dataset(name[:VALUE], id[:DIGEST], "noria", f"noria releases show {id}"))
        for id, name in learnt.items()
    ]
    client.log_inputs(made, sets)


def version(client: "MlflowClient", made: str, release: Release) -> None:
    """Register the run as a version of ``noria-<kind>``; what an unfinished run left is removed."""
    from mlflow.exceptions import MlflowException

    model = f"{EXPERIMENT}-{release.kind}"
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for left in client.search_model_versions(f"tags.`{TAG}` = '{release.id}'"):
        client.delete_model_version(left.name, left.version)
    tags = {TAG: release.id, "noria.objective": release.objective}
    client.create_model_version(model, f"runs:/{made}/release", made, tags, await_creation_for=0)


def flat(recipe: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """A recipe as MLflow's parameters: names with dots, short values.

    >>> flat({"objective": "sft", "lora": {"rank": 16}, "mix": [1, 2]})
    {'objective': 'sft', 'lora.rank': '16', 'mix': '[1,2]'}
    """
    found: dict[str, str] = {}
    for name, value in recipe.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{above}{name}.")
        else:
            text = value if isinstance(value, str) else canonical(value)
            found[fit(above + name)] = text[:VALUE]
    return found


def fit(name: str) -> str:
    """``name`` as MLflow takes it.

    >>> fit("ndcg@10"), fit("a//../b%")
    ('ndcg_at_10', 'a/b_')
    """
    plain = re.sub(r"[^/\w.\- ]", "_", name.replace("@", "_at_"))
    parts = [part for part in plain.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:KEY].strip("/") or "_"


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """``items`` in runs of ``size`` at most."""
    return (items[start : start + size] for start in range(0, len(items), size))
