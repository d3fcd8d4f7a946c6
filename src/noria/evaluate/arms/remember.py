"""Remembers what a model wrote, so that no prompt is asked twice, in this run or a later one."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from noria.errors import BusyError, DataError, ModelError, NoriaError
from noria.jobs import unheard
from noria.protocols import LLM, Scorer
from noria.store.sqlite import write_ahead
from noria.types import Completion, Likelihood, Prompt, Sampling

PATIENCE = 60.0  # seconds to wait for another run that writes
FAILED_IN_A_ROW = 5  # prompts after which the model is down, not the prompt wrong
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a prompt, and the wall time that it took of its run.

    ``completion`` is None, and ``error`` says why, where the model refused this prompt.
    """

    completion: Completion | None
    seconds: float
    error: str | None = None


class Memory:
    """A file of answers by what was asked. Each is on disk before the next is waited for.

    Several processes may use it at once. Only its owner may read it, for answers may hold what
    only some may read. Every method raises DataError where the file is damaged, BusyError where
    another process writes for too long, and NoriaError where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # before SQLite makes it for all to read; it gives the files beside it the same mode
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
            try:
                write_ahead(self._connection, PATIENCE)
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
                )
            except sqlite3.Error:
                self._connection.close()
                raise

    def get(self, key: str) -> Any:
        """What was remembered, or None."""
        select = "SELECT value FROM answers WHERE key = ?"
        with told(self._path):
            row = self._connection.execute(select, (key,)).fetchone()
            return json.loads(row[0]) if row else None

    def put(self, key: str, value: Any) -> None:
        """Remember ``value``; the first one stays."""
        insert = "INSERT OR IGNORE INTO answers VALUES (?, ?)"
        with told(self._path):
            self._connection.execute(insert, (key, json.dumps(value)))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Says what is wrong with the file of answers, and what to do about it."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as error:
        # the low byte of SQLite's code is the kind of error, the others its details
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGED or isinstance(error, ValueError):
            raise DataError(
                f"the remembered answers cannot be read ({error}); delete this file and those "
                "beside it with -wal and -shm, and the answers are asked anew",
                path,
            ) from error
        if code in BUSY:
            raise BusyError(
                f"{path}: another process has been writing for {PATIENCE:.0f} seconds; wait for "
                "it to end, or stop it"
            ) from error
        raise NoriaError(
            f"{path}: the answers cannot be remembered ({error}); make room on the disk, or allow "
            "yourself to write there"
        ) from error


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
        tell: Callable[[int], None] = unheard,
    ) -> list[Written]:
        """What the model wrote to each prompt, in their order.

        ``tell`` hears how many are settled. A prompt that the model refuses is told by its error;
        raises ModelError where it refuses one after the other, those too long for it not counted.
        """
        keys = [self._key(prompt, sampling) for prompt in prompts]
        missing = {
            key: prompt
            for key, prompt in zip(keys, prompts, strict=True)
            if self._memory.get(key) is None
        }
        known = len(set(keys)) - len(missing)
        tell(known)
        errors = self._ask(missing, sampling, lambda count: tell(known + count))
        return [self._recalled(key, errors.get(key)) for key in keys]

    def _ask(
        self, missing: dict[str, Prompt], sampling: Sampling, tell: Callable[[int], None]
    ) -> dict[str, str]:
        """Ask, and remember what is written; the errors of prompts that the model refuses.

        What a refused prompt broke off is asked again by halves, until that prompt is alone.
        """
        there: set[str] = set()
        errors: dict[str, str] = {}
        failed = 0  # in a row
        last = perf_counter()

        def remember(key: str, completion: Completion) -> None:
            nonlocal last, failed
            now = perf_counter()
            seconds, last, failed = now - last, now, 0
            self._memory.put(key, {"completion": asdict(completion), "seconds": seconds})
            self.fresh += 1
            there.add(key)
            tell(len(there) + len(errors))

        waiting = [list(missing)]
        while waiting:
            some = waiting.pop()
            last = perf_counter()
            asked = [missing[key] for key in some]
            try:
                self.llm.batch(asked, sampling, lambda place, c: remember(some[place], c))  # noqa: B023
            except ModelError as error:
                left = [key for key in some if key not in there]
                if len(left) != 1:
                    half = len(left) // 2
                    waiting += [each for each in (left[half:], left[:half]) if each]
                    continue
                (refused,) = left
                errors[refused] = str(error)
                tell(len(there) + len(errors))
                failed += not self._too_long(missing[refused])
                if failed == FAILED_IN_A_ROW:
                    raise
        return errors

    def recall(self, prompts: Sequence[Prompt], sampling: Sampling, why: str) -> list[Written]:
        """What was written to each prompt before; ``why`` is the error of those without."""
        return [self._recalled(self._key(prompt, sampling), why) for prompt in prompts]

    def _key(self, prompt: Prompt, sampling: Sampling) -> str:
        """The window is part of it: a small one cuts answers, and refuses prompts."""
        llm = self.llm
        return key_of("answer", llm.fingerprint, llm.context, spelled(prompt), asdict(sampling))

    def _too_long(self, prompt: Prompt) -> bool:
        text = prompt if isinstance(prompt, str) else "\n".join(m.content for m in prompt)
        return self.llm.count(text) > self.llm.context

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
