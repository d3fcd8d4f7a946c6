import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from noria.errors import NoriaError, UsageError
from noria.store.artifacts import Artifacts
from noria.store.registry import Registry
from noria.store.releases import (
    Run,
    as_json,
    environment,
    from_json,
    made,
    run_as_json,
    run_from_json,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KILLS = 4
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip
PARTS = st.dictionaries(
    st.sampled_from(["base", "adapter", "template"]), st.text(min_size=1, max_size=8), min_size=1
)
RECIPES = st.dictionaries(st.text(max_size=5), JSON, max_size=4)


@pytest.fixture
def registry(tmp_path):
    at = Registry(f"sqlite:///{tmp_path / 'state.db'}", Artifacts(tmp_path / "artifacts"))
    yield at
    at.close()


@given(PARTS, RECIPES, st.datetimes(timezones=st.just(UTC)))
def test_a_release_comes_back_from_json_as_it_was(parts, recipe, at):
    release = made("adapter", parts, at, recipe=recipe, metrics={"f1": 0.5})
    assert from_json(as_json(release)) == release


@given(PARTS, PARTS, RECIPES, RECIPES)
def test_the_id_is_the_content_and_neither_time_nor_figures(parts, others, recipe, other):
    one = made("adapter", parts, NOW, recipe=recipe, metrics={"f1": 0.5})
    same = made("adapter", dict(reversed(parts.items())), NOW + timedelta(days=1), recipe=recipe)
    assert one.id == same.id
    two = made("adapter", others, NOW, recipe=other)
    if parts != others:
        assert one.id != two.id
    assert made("encoder", parts, NOW, recipe=recipe).id != one.id
    assert made("adapter", parts, NOW, (), [one.id], recipe).id != one.id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "modell"}, "unknown kind 'modell'"),
        ({"parts": {}}, "without parts"),
        ({"parts": {"../x": "0"}}, "part '../x'"),
        ({"parts": {"base": ""}}, "part 'base'"),
        ({"stored": ["base"]}, "stored part 'base': expected the digest"),
        ({"made_from": ["x"]}, "expected the id of a release"),
        ({"recipe": {"x": float("nan")}}, "JSON without NaN"),
        ({"recipe": {"x": object()}}, "JSON without NaN"),
        ({"metrics": {"loss": float("nan")}}, "metric 'loss': expected a finite number"),
        ({"metrics": {"loss": "low"}}, "metric 'loss'"),
        ({"at": datetime(2026, 1, 1)}, "without its zone"),
    ],
)
def test_what_a_release_cannot_have_is_told(change, said):
    with pytest.raises(UsageError, match=said):
        made(**{"kind": "base", "parts": {"base": "0f"}, "at": NOW, **change})


def test_what_is_registered_is_found_again(registry, tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "weights").write_bytes(b"w")
    base = registry.add(made("base", {"base": "0f"}, NOW))
    digest = registry.artifacts.put(tmp_path / "adapter")
    there = datetime(2026, 11, 21, 20, tzinfo=timezone(timedelta(hours=3)))
    recipe = {"objective": "radit", "lora": {"rank": 16}, "mix": (1, 2)}
    release = made(
        "adapter", {"adapter": digest, "base": "0f", "dataset": "d9"}, there,
        ["adapter"], [base.id], recipe, {"f1": 0.53},
    )  # fmt: skip
    run = Run({"loss": ((1, 2.5), (2, 2.0))}, {"torch": "2.13"}, 3.5)
    assert registry.add(release, run) == release
    assert registry.get(release.id) == release == registry.get(release.id[:6])
    assert release.at == datetime(2026, 11, 21, 17, tzinfo=UTC)
    assert release.objective == "radit"
    assert registry.run(release.id) == run
    assert registry.run(base.id) is None
    assert registry.lineage(release) == (base, release)


def test_the_same_again_changes_nothing(registry):
    first = registry.add(made("base", {"base": "0f"}, NOW, metrics={"loss": 1.0}))
    again = made("base", {"base": "0f"}, NOW + timedelta(days=1), metrics={"loss": 2.0})
    assert registry.add(again, Run(seconds=2.0)) == first
    assert registry.list() == (first,)
    assert registry.run(first.id) == Run(seconds=2.0)
    registry.add(again, Run(seconds=9.0))
    assert registry.run(first.id) == Run(seconds=2.0)


def test_other_content_under_the_same_id_is_an_error(registry):
    release = registry.add(made("base", {"base": "0f"}, NOW))
    with pytest.raises(UsageError, match=f"{release.id!r}: its content has the id b"):
        registry.add(replace(release, parts={"base": "1f"}))
    with pytest.raises(UsageError, match="its content has the id"):
        registry.add(replace(release, recipe={"objective": "sft"}))
    assert registry.list() == (release,)


def test_a_row_changed_by_hand_is_told(registry):
    release = registry.add(made("base", {"base": "0f"}, NOW))
    with registry._engine.begin() as connection:
        connection.execute(text("UPDATE releases SET record = replace(record, '0f', '1f')"))
    with pytest.raises(NoriaError, match="a row of the table 'releases' was changed"):
        registry.get(release.id)


def test_nothing_is_registered_without_its_artifact_or_its_ancestor(registry):
    with pytest.raises(NoriaError, match="'base' is not among the artifacts"):
        registry.add(made("base", {"base": "0" * 64}, NOW, ["base"]))
    orphan = made("adapter", {"adapter": "0"}, NOW, (), ["b" + "0" * 16])
    with pytest.raises(UsageError, match=r"made from b0{16}, which is not registered"):
        registry.add(orphan)
    assert registry.list() == ()


def test_an_unknown_id_names_what_there_is(registry):
    with pytest.raises(UsageError, match="no release 'x'; none is registered yet"):
        registry.get("x")
    for n in range(40):
        registry.add(made("base", {"base": str(n)}, NOW + timedelta(hours=n)))
    newest = registry.list()[0].id
    for unknown in ("r1", "%", "", "b_", "B0", "b' OR 1"):
        with pytest.raises(UsageError, match=f"no release .*; the newest are: {newest}, "):
            registry.get(unknown)
    with pytest.raises(UsageError, match="'b' begins several ids"):
        registry.get("b")


def test_list_and_latest_choose(registry):
    data = registry.add(made("dataset", {"dataset": "d1"}, NOW))
    hour = timedelta(hours=1)

    def adapter(n, objective, dataset="d1", made_from=()):
        parts = {"adapter": str(n), "dataset": dataset}
        recipe = {"objective": objective}
        return registry.add(made("adapter", parts, NOW + n * hour, (), made_from, recipe))

    first = adapter(1, "sft", made_from=[data.id])
    third = adapter(3, "sft")
    second = adapter(2, "radit")
    other = adapter(4, "sft", dataset="d2")
    assert registry.list() == (other, third, second, first, data)
    assert registry.list("adapter", "sft") == (other, third, first)
    assert registry.list("adapter", "sft", "d1") == (third, first)
    assert registry.list(dataset=data.id) == (first,)
    assert registry.latest("adapter", "sft") == other
    assert registry.latest("adapter", "sft", "d1") == third
    assert registry.latest("adapter", "radit") == second
    assert registry.latest("encoder") is None


def test_a_long_lineage_is_told_oldest_first(registry):
    chain = [made("base", {"base": "0"}, NOW)]
    for n in range(1100):  # turns of the loop
        chain.append(made("adapter", {"adapter": str(n)}, NOW, (), [chain[-1].id]))
    registry.add_all(chain)
    assert registry.lineage(chain[-1]) == tuple(chain)


def test_several_are_registered_together_or_not_at_all(registry):
    good = made("base", {"base": "0"}, NOW)
    with pytest.raises(NoriaError, match="not among the artifacts"):
        registry.add_all([good, made("base", {"base": "1" * 64}, NOW, ["base"])])
    assert registry.list() == ()


def test_many_register_the_same_in_a_new_file_at_once(tmp_path):
    for turn in range(5):
        url, together = f"sqlite:///{tmp_path / str(turn)}.db", Barrier(6)

        def register(n: int, url: str = url, together: Barrier = together) -> None:
            together.wait()
            at = Registry(url, Artifacts(tmp_path / "artifacts"))
            at.add(made("base", {"base": "same"}, NOW), Run(seconds=float(n)))
            at.add(made("base", {"base": str(n)}, NOW))
            at.close()

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(register, range(6)))
        at = Registry(url, Artifacts(tmp_path / "artifacts"))
        assert len(at.list()) == 7
        at.close()


REGISTER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from noria.store.artifacts import Artifacts
from noria.store.registry import Registry
from noria.store.releases import Run, made
home = Path(sys.argv[1])
at = Registry(f"sqlite:///{home / 'state.db'}", Artifacts(home / "artifacts"))
now = datetime(2026, 11, 21, tzinfo=UTC)
print("ready", flush=True)
n = len(at.list())
while True:
    n += 1
    file = home / "weights"
    file.write_bytes(b"%d" % n * 5000)
    parts = {"base": at.artifacts.put(file)}
    base = at.add(made("base", parts, now, ["base"], recipe={"n": n}), Run(seconds=1.0))
    print(base.id, flush=True)
"""


def test_killed_while_registering_what_was_told_is_there_and_whole(tmp_path):
    chance = random.Random(7)
    told: set[str] = set()
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", REGISTER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.02, 0.3))
        process.send_signal(signal.SIGKILL)
        told |= {line.strip() for line in process.stdout if line.endswith("\n")}
        process.wait()
        process.stdout.close()
        at = Registry(f"sqlite:///{Path(tmp_path) / 'state.db'}", Artifacts(tmp_path / "artifacts"))
        there = at.list()
        assert told <= {release.id for release in there}
        for release in there:
            at.artifacts.verify(release.parts["base"])
            assert at.run(release.id) == Run(seconds=1.0)
        at.close()
    assert told


def test_a_run_comes_back_from_json():
    run = Run({"loss": ((0, 2.0), (5, 1.5))}, environment("a GPU"), 12.5)
    assert run_from_json(run_as_json(run)) == run
    assert run.environment["machine"] == "a GPU"
    assert {"python", "cores", "torch"} <= run.environment.keys()
    for raw in (None, {}, {"curves": {"a": [[1]]}, "environment": {}, "seconds": 0.0}):
        with pytest.raises(UsageError, match="a run that cannot be read"):
            run_from_json(raw)
