"""A comparison in a process of its own that may be killed; used by ``test_compare_killed.py``.

``python killed_comparison.py HOME QUESTIONS ASKED`` compares with fake models that take their time,
and appends each prompt that the model has answered to the file ASKED, before anybody is told.
"""

import hashlib
import sys
from pathlib import Path
from time import sleep

from fake_house import fake_house

from noria import build, cli

SECONDS = 0.02  # that an answer takes


def main() -> None:
    """Compare base and rag."""
    home, questions, asked = map(Path, sys.argv[1:])
    home.mkdir(parents=True, exist_ok=True)

    def answer(prompt: object) -> str:
        sleep(SECONDS)
        text = str(prompt)
        with asked.open("a") as file:
            file.write(hashlib.sha256(text.encode()).hexdigest() + "\n")
        return f"Answer {len(text)}."

    build.House = fake_house(home / "tokenizer.json", answer)  # type: ignore[misc]
    sys.argv = ["noria", "compare", str(questions), "--arms", "base,rag", "--home", str(home),
                "--out", str(home / "report"), "--json"]  # fmt: skip
    cli.main()


if __name__ == "__main__":
    main()
