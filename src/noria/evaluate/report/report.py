"""Writes what a comparison found: a page for people, and the files to compute it again from.

The page is one file, without scripts, and asks the network for nothing. Questions, answers and
passages are strangers' text: the template escapes all that it is given.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from noria.errors import DataError
from noria.evaluate.forgetting.asking import Outcomes, lines
from noria.evaluate.records import Record, written
from noria.evaluate.report.advice import advise, headline
from noria.evaluate.report.view import view
from noria.evaluate.results import Comparison, Forgetting

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = "report.html.jinja"
PAGE, METRICS = "report.html", "metrics.json"


def report(comparison: Comparison, records: Mapping[str, Sequence[Record]]) -> str:
    """The page. ``records``: those of each arm, from which failures are shown.

    Raises ValueError where an example of a failure is not among them.
    """
    files = {name: file_name(name) for name in comparison.arms}
    general = files_of(comparison.forgetting) if comparison.forgetting else []
    page = template().render(view(comparison, records), files=files, general_files=general)
    # half a surrogate pair is no text, but a question may hold one
    return page.lstrip().encode("utf-8", "replace").decode("utf-8")


@cache
def template() -> "Template":
    """The page, to be filled."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("noria.evaluate.report", ""),
        autoescape=True,  # whatever the name of the file ends in
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE)


def as_json(comparison: Comparison, folder: Path) -> dict[str, Any]:
    """What ``metrics.json`` holds, and ``noria compare --json`` prints; figures are not rounded.

    What is no number is null.
    """
    told: dict[str, Any] = finite({
        "arms": {
            name: {key: value for key, value in asdict(arm).items() if key != "name"}
            for name, arm in comparison.arms.items()
        },
        "differences": [asdict(gap) for gap in comparison.differences],
        "advice": comparison.advice or advise(comparison),
        "report": str(folder),
        "headline": headline(comparison),
        "primary": comparison.primary,
        "about": dict(comparison.about),
        "problems": list(comparison.problems),
        "forgetting": asdict(comparison.forgetting) if comparison.forgetting else None,
        "files": {name: file_name(name) for name in comparison.arms},
    })  # fmt: skip
    return told


def write(
    comparison: Comparison,
    records: Mapping[str, Sequence[Record]],
    folder: Path,
    general: Mapping[str, Outcomes] = {},
) -> dict[str, Any]:
    """Fill ``folder``, made where it is missing, and give what ``metrics.json`` holds.

    Each file is written under another name and renamed; ``metrics.json`` comes last, so that where
    it is, all is. One that is there already goes first. ``general``: what came of general
    questions, by the names of the files. Raises DataError where two arms would write the same file.
    """
    names = [file_name(name).casefold() for name in comparison.arms]  # as some disks see them
    if len(set(names)) < len(names):
        raise DataError("two arms differ in case only; name them apart", folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / METRICS).unlink(missing_ok=True)
    for name in comparison.arms:
        replaced(folder / file_name(name), written(records.get(name, ())))
    for name, outcomes in general.items():
        replaced(folder / name, lines(outcomes))
    replaced(folder / PAGE, report(comparison, records))
    metrics = as_json(comparison, folder)
    text = json.dumps(metrics, ensure_ascii=False, indent=1, default=str, allow_nan=False)
    replaced(folder / METRICS, text + "\n")
    return metrics


def file_name(arm: str) -> str:
    """The file of an arm's answers; what a disk may not like in a name is written as ``%XX``.

    >>> file_name("tuned+rag"), file_name("../x")
    ('answers.tuned+rag.jsonl', 'answers...%2Fx.jsonl')
    """
    return f"answers.{quote(arm, safe='+')}.jsonl"


def files_of(forgetting: Forgetting) -> list[str]:
    """The files of what came of general questions, the base's first."""
    return [forgetting.file, *(model.file for model in forgetting.models)]


def replaced(path: Path, text: str) -> None:
    """Write ``path`` whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(text.encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def finite(value: Any) -> Any:
    """``value`` with null for what is no number: JSON has neither NaN nor infinity.

    >>> finite({"mean": float("nan"), "curve": (1.0,)})
    {'mean': None, 'curve': [1.0]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value
