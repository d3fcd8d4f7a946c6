"""Computes a report again, from the answers that a comparison left behind."""

import json
from pathlib import Path

from noria.errors import DataError
from noria.evaluate.compare import compare
from noria.evaluate.records import read as read_records
from noria.evaluate.report.report import METRICS, write
from noria.evaluate.results import Comparison


def again(folder: Path) -> Comparison:
    """Compute a report again from the answers in ``folder``, and write it anew.

    What cannot be computed from answers is taken over: how the run was made. Raises DataError for
    a folder without a report.
    """
    import numpy as np

    try:
        known = json.loads((folder / METRICS).read_bytes())
        records = {name: read_records(folder / file) for name, file in known["files"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"no whole report ({error}); expected what noria compare wrote", folder
        ) from None
    comparison = compare(
        records,
        np.random.default_rng(known["about"].get("seed", 0)),
        known["about"],
        {name: arm["about"] for name, arm in known["arms"].items()},
        known["problems"],
    )
    write(comparison, records, folder)
    return comparison
