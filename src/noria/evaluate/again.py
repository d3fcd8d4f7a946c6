"""Computes a report again, from the answers that a comparison left behind."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from noria.errors import DataError
from noria.evaluate.arms.arm import Arm
from noria.evaluate.compare import compare
from noria.evaluate.forgetting import asking
from noria.evaluate.forgetting.asking import Outcomes
from noria.evaluate.forgetting.models import Heard, forgetting
from noria.evaluate.records import Record, numbered
from noria.evaluate.report.report import METRICS, write
from noria.evaluate.results import Comparison

Lines = Sequence[tuple[int, Record]]  # records with the numbers of their lines


def again(folder: Path) -> Comparison:
    """Compute a report again from the answers in ``folder``, and write it anew.

    What cannot be computed from answers is taken over: how the run was made. Raises DataError for
    a folder without a whole report, and where the arms did not answer the same questions in the
    same order.
    """
    import numpy as np

    known = told(folder / METRICS)
    records = records_of(known, folder)
    general = remeasured(known.get("forgetting"), folder)
    comparison = compare(
        records,
        np.random.default_rng(known["about"].get("seed", 0)),
        known["about"],
        {name: configured(name, known["arms"][name]) for name in records},
        known["problems"],
        forgetting(general) if general else None,
    )
    write(comparison, records, folder, {each.file: each.outcomes for each in general})
    return comparison


def records_in(folder: Path) -> dict[str, list[Record]]:
    """The answers of each arm in a report's folder, all to the same questions. Raises DataError."""
    return records_of(told(folder / METRICS), folder)


def records_of(known: Mapping[str, Any], folder: Path) -> dict[str, list[Record]]:
    """The answers of each arm of a report that tells ``known``."""
    paths = {name: folder / file for name, file in known["files"].items()}
    lines = {name: read(path) for name, path in paths.items()}
    first, *others = paths
    for other in others:
        same_questions(paths[first], lines[first], paths[other], lines[other])
    return {name: [record for _, record in found] for name, found in lines.items()}


def remeasured(told: Any, folder: Path) -> list[Heard]:
    """What came of general questions, the base's first; nothing where they were not asked."""
    if told is None:
        return []
    try:
        base = Heard((), str(told["base"]), outcomes_in(folder, told["file"], int(told["planned"])))
        others = [
            Heard(tuple(map(str, m["arms"])), str(m["model"]), outcomes_in(folder, m["file"]))
            for m in told["models"]
        ]
    except (TypeError, KeyError, ValueError, AttributeError):
        raise DataError(
            "'forgetting' is not what noria compare wrote; run noria compare again",
            folder / METRICS,
        ) from None
    return [base, *others]


def outcomes_in(folder: Path, name: Any, planned: int | None = None) -> Outcomes:
    """What came of a model's general questions, of so many that were ``planned``."""
    if not plain(name):
        raise ValueError(name)
    found = asking.read(folder, name)
    return found if planned is None else replace(found, planned=planned)


def configured(name: str, told: Mapping[str, Any]) -> Arm:
    """The arm as far as ``metrics.json`` tells; what it may read, older ones did not tell."""
    return Arm(name, told.get("passages", ""), about=told["about"])


def told(path: Path) -> Mapping[str, Any]:
    """What ``metrics.json`` tells of the run; raises DataError where it is not whole."""
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"no whole report ({error}); expected what noria compare wrote", path
        ) from None
    if reason := lacking(known):
        raise DataError(f"{reason}; run noria compare again", path)
    found: Mapping[str, Any] = known
    return found


def lacking(known: Any) -> str:
    """What is wrong with the contents of ``metrics.json``; nothing where all is well."""
    if not isinstance(known, dict):
        return "expected an object"
    wanted = {"files": dict, "arms": dict, "about": dict, "problems": list}
    for key, kind in wanted.items():
        if not isinstance(known.get(key), kind):
            return f"expected {key!r} to be {'a list' if kind is list else 'an object'}"
    if not known["files"]:
        return "'files' names no answers"
    for name, file in known["files"].items():
        if not plain(file):
            return f"'files' names {file!r}; expected the name of a file in the same folder"
        if not described(known["arms"].get(name)):
            return f"'arms' does not tell what arm {name!r} is about"
    if not all(isinstance(problem, str) for problem in known["problems"]):
        return "expected 'problems' to be a list of texts"
    seed = known["about"].get("seed", 0)
    if type(seed) is not int or seed < 0:
        return f"'seed' is {seed!r}; expected a whole number from 0"
    return ""


def described(arm: Any) -> bool:
    """Whether this tells all that is taken over of an arm."""
    if not isinstance(arm, dict) or not isinstance(arm.get("about"), str):
        return False
    return isinstance(arm.get("passages", ""), str)


def plain(name: Any) -> bool:
    """Whether this is the name of a file, which leads out of no folder.

    >>> plain("answers.rag.jsonl"), plain("../answers.rag.jsonl"), plain("..")
    (True, False, False)
    """
    if not isinstance(name, str) or not name.strip("."):
        return False
    return name.isprintable() and not {*name} & {*"/\\:"}


def read(path: Path) -> Lines:
    """An arm's answers, at least one."""
    try:
        found = tuple(numbered(path))
    except OSError as error:
        raise DataError(
            f"no whole report ({error.strerror}); expected the answers that noria compare wrote",
            path,
        ) from None
    if not found:
        raise DataError("there are no answers; run noria compare again", path)
    return found


def same_questions(first: Path, ours: Lines, other: Path, theirs: Lines) -> None:
    """Raise DataError at the first line where two arms did not answer the same question."""
    for our, their in zip_longest(ours, theirs):
        if our is None or their is None:
            short, long = (first, other) if our is None else (other, first)
            last = (ours if our is None else theirs)[-1][0]
            line, record = our or their
            raise DataError(
                f"the answers end here, those of {long.name} go on with {record.id!r} in line "
                f"{line}; run noria compare again",
                short,
                last,
            )
        if our[1].id != their[1].id:
            raise DataError(
                f"the answer to {their[1].id!r}, where {first.name} has {our[1].id!r}; "
                "run noria compare again",
                other,
                their[0],
            )
