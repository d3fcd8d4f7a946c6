"""What deploy/ draws and alerts on is told by the service, and docs/ lists all of it."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from test_chats import asked, post
from test_people import FEEDBACK

from noria.loop.drift import Drift, Shift
from served import Served

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy/grafana/noria.json"
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
DOCS = ROOT / "docs/monitoring.md"
NAME = re.compile(r"noria_[a-z_]+")
LABELS = re.compile(r"(noria_[a-z_]+)\{([^}]*)\}")
FOUND = {"instance", "job", "le"}  # labels that Prometheus adds, and those of a histogram


def exported(at: Served) -> dict[str, set[str]]:
    """What a service tells once all has happened: the names of samples, and their labels."""
    answer = post(at, asked(user="ada")).json()["id"]
    post(at, {"answer": answer, "kind": "thumb", "value": 1}, FEEDBACK)
    at.service.observed.drifted([Drift("scores", "x", 500, 500, (Shift("confidence", 1.0, 0.1),))])
    told = at.service.observed.told().decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(told):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def panels() -> list[Any]:
    return [each for each in json.loads(DASHBOARD.read_text())["panels"] if each["type"] != "row"]


def rules() -> list[Any]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return list(group["rules"])


def expressions() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])
    yield from (rule["expr"] for rule in rules())


@pytest.fixture
def names(serving: Callable[..., Served]) -> dict[str, set[str]]:
    return exported(serving())


def test_every_name_in_deploy_is_told_with_its_labels(names: dict[str, set[str]]) -> None:
    used = {name for expression in expressions() for name in NAME.findall(expression)}
    assert used <= names.keys()
    for expression in expressions():
        for name, matchers in LABELS.findall(expression):
            wanted = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
            assert wanted <= names[name] | FOUND, expression


def test_the_documentation_lists_all_that_is_told_and_nothing_else(
    names: dict[str, set[str]],
) -> None:
    told = {re.sub(r"_(bucket|sum|count)$", "", n) for n in names if not n.endswith("_created")}
    listed = re.findall(r"^\| `(noria_\w+)` \|", DOCS.read_text(), re.MULTILINE)
    assert set(listed) == told
    assert len(listed) == len(told)


def test_each_alert_says_what_happened_and_what_to_do() -> None:
    for rule in rules():
        assert rule["alert"].startswith("Noria")
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "do"}
        assert f"`{rule['alert']}`" in DOCS.read_text()


def test_the_dashboard_is_whole() -> None:
    drawn = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in drawn["panels"]]
    assert len(set(ids)) == len(ids)
    titles = {panel["title"] for panel in panels()}
    assert {"Seconds to the first token", "Places and queue", "Thumbs up", "Abstained"} <= titles
    assert all(panel["description"] for panel in panels())
