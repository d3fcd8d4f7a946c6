"""The reading adapter that comes with Noria, for the default generator.

The base alone, given the right passage, answers in whole sentences and often wrongly. This adapter
was made by Noria's own recipe, to answer briefly from one passage or to say that it does not know:
``reading_adapter/README.md``.
"""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("reading_adapter")  # as PEFT writes an adapter
RELEASE = "release.json"


def told() -> dict[str, Any]:
    """The release that it was made as, as JSON has it."""
    found: dict[str, Any] = json.loads((FOLDER / RELEASE).read_text(encoding="utf-8"))
    return found
