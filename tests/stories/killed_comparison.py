"""A comparison in a process of its own that may be killed; used by ``test_compare_killed.py``.

``python killed_comparison.py HOME QUESTIONS ASKED`` compares with fake models that take their time,
and appends each prompt that the model has answered to the file ASKED, before anybody is told.
"""

import hashlib
import sys
from functools import cached_property
from pathlib import Path
from time import sleep

from interrupted import save_tokenizer

from noria import build, cli
from noria.corpus.split import TokenSplitter
from noria.models.fake import FakeEncoder, FakeLLM

SECONDS = 0.02  # that an answer takes


def main() -> None:
    """Compare base and rag."""
    home, questions, asked = map(Path, sys.argv[1:])
    home.mkdir(parents=True, exist_ok=True)
    save_tokenizer(home / "tokenizer.json")

    def answer(prompt: object) -> str:
        sleep(SECONDS)
        text = str(prompt)
        with asked.open("a") as file:
            file.write(hashlib.sha256(text.encode()).hexdigest() + "\n")
        return f"Answer {len(text)}."

    class FakeHouse(build.House):
        @cached_property
        def encoder(self) -> FakeEncoder:  # type: ignore[override]
            return FakeEncoder()

        @cached_property
        def llm(self) -> FakeLLM:  # type: ignore[override]
            return FakeLLM(answer)

        @cached_property
        def splitter(self) -> TokenSplitter:
            return TokenSplitter(home / "tokenizer.json", 256, 200)

    build.House = FakeHouse  # type: ignore[misc]
    sys.argv = ["noria", "compare", str(questions), "--arms", "base,rag", "--home", str(home),
                "--out", str(home / "report"), "--json"]  # fmt: skip
    cli.main()


if __name__ == "__main__":
    main()
