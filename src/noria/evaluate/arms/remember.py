"""Remembers what a model wrote, so that no prompt is asked twice, in this run or a later one."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from noria.errors import ModelError
from noria.protocols import LLM, Scorer
from noria.types import Completion, Likelihood, Prompt, Sampling

PATIENCE = 60.0  # seconds to wait for another run that writes
FAILED_IN_A_ROW = 5  # prompts after which the model is down, not the prompt wrong


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a prompt, and the wall time that it took of its run.

    ``completion`` is None, and ``error`` says why, where the model refused this prompt.
    """

    completion: Completion | None
    seconds: float
    error: str | None = None


class Memory:
    """A file of answers by what was asked. Each is on disk before the next is waited for."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
        )

    def get(self, key: str) -> Any:
        """What was remembered, or None."""
        row = self._connection.execute("SELECT value FROM answers WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, key: str, value: Any) -> None:
        """Remember ``value``; the first one stays."""
        self._connection.execute(
            "INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, json.dumps(value))
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def key_of(*parts: Any) -> str:
    """A key of what decides an answer: model, prompt, settings."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def spelled(prompt: Prompt) -> Any:
    """A prompt as JSON has it."""
    return prompt if isinstance(prompt, str) else [asdict(message) for message in prompt]


class Remembering:
    """Asks a model what it was not asked before."""

    def __init__(self, llm: LLM, memory: Memory) -> None:
        self.llm, self._memory = llm, memory
        self.fresh = 0  # prompts that the model was asked

    def write(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        tell: Callable[[int], None] = lambda count: None,
    ) -> list[Written]:
        """What the model wrote to each prompt, in their order.

        ``tell`` hears how many are there. A prompt that the model refuses is told by its error;
        raises ModelError where it refuses one after the other.
        """
        keys = [key_of(self.llm.fingerprint, spelled(p), asdict(sampling)) for p in prompts]
        missing = {
            key: prompt
            for key, prompt in zip(keys, prompts, strict=True)
            if self._memory.get(key) is None
        }
        known = len(set(keys)) - len(missing)
        tell(known)
        asked = list(missing)
        last = perf_counter()

        def remember(place: int, completion: Completion) -> None:
            nonlocal last, known
            now = perf_counter()
            seconds, last = now - last, now
            value = {"completion": asdict(completion), "seconds": seconds}
            self._memory.put(asked[place], value)
            self.fresh += 1
            known += 1
            tell(known)

        errors: dict[str, str] = {}
        try:
            self.llm.batch(list(missing.values()), sampling, remember)
        except ModelError:
            errors = self._one_by_one(missing, sampling)
        return [self._recalled(key, errors.get(key)) for key in keys]

    def _one_by_one(self, missing: dict[str, Prompt], sampling: Sampling) -> dict[str, str]:
        """Ask what is still missing each alone, to find the prompts that the model refuses."""
        errors: dict[str, str] = {}
        failed = 0
        for key, prompt in missing.items():
            if self._memory.get(key) is not None:
                continue
            started = perf_counter()
            try:
                (completion,) = self.llm.batch([prompt], sampling)
            except ModelError as error:
                errors[key], failed = str(error), failed + 1
                if failed == FAILED_IN_A_ROW:
                    raise
                continue
            failed = 0
            self.fresh += 1
            value = {"completion": asdict(completion), "seconds": perf_counter() - started}
            self._memory.put(key, value)
        return errors

    def _recalled(self, key: str, error: str | None) -> Written:
        value = self._memory.get(key)
        if value is None:
            return Written(None, 0.0, error or "the model gave no answer")
        return Written(Completion(**value["completion"]), value["seconds"])


class RememberingScorer:
    """Scores what was not scored before; ``fingerprint`` names the weights that score.

    ``make`` loads them, when something is first to be scored.
    """

    def __init__(self, make: Callable[[], Scorer], fingerprint: str, memory: Memory) -> None:
        self._make, self._fingerprint, self._memory = make, fingerprint, memory
        self._scorer: Scorer | None = None
        self.fresh = 0

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> tuple[list[Likelihood], float]:
        """The likelihood of each continuation after ``prompt``, and the seconds that it took."""
        key = key_of("score", self._fingerprint, spelled(prompt), list(continuations))
        value = self._memory.get(key)
        if value is None:
            started = perf_counter()
            self._scorer = self._scorer or self._make()
            found = self._scorer.score([prompt] * len(continuations), continuations)
            self.fresh += 1
            value = {
                "likelihoods": [[each.logprob, each.tokens] for each in found],
                "seconds": perf_counter() - started,
            }
            self._memory.put(key, value)
        return [Likelihood(p, n) for p, n in value["likelihoods"]], value["seconds"]
