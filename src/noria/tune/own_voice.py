"""General examples in a model's own voice: it asks itself, and answers that before it is tuned.

Given only the beginning of a user's turn, an instruction-tuned model writes what a user may ask
(Magpie, Xu et al. 2024); its own answers are what it is to keep (self-synthesized rehearsal, Huang
et al. 2024).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from noria.errors import ModelError
from noria.evaluate.forgetting.suite import Reply, Suite
from noria.jobs import silent
from noria.protocols import LLM, Progress
from noria.store.content import read_json, write_json
from noria.tune.data.alike import known, said_in
from noria.tune.measured import windows
from noria.tune.said import FEWEST, Said, digest
from noria.types import Completion, Message, Sampling

ASKING = Sampling(max_tokens=96, temperature=1.0)  # of what the model has a user say
# Greedy: what the model most likely says, it is to keep. A lower bound would keep short ones only.
ANSWERING = Sampling(max_tokens=512)
MOST = 512  # conversations: the next ones would take long, and each counts more instead
ROUND = 8  # prompts that are answered together; after them everything is on disk
TRIED, USABLE = 64, 1 / 16  # after so many prompts at least this share must have been usable
DISTINCT = 0.75  # share of the runs of four words that must differ, or a text goes round in circles
RUN = 4  # words
SEEDS = 2**31 - 2  # that llama.cpp tells apart
VERSION = 1  # of how the model is asked: what was kept of another way is not used
STAND_IN = "Qxzvjw"  # what a template is given for a user's words, to see what it puts around


@dataclass(frozen=True, slots=True)
class Opening:
    """What a chat template writes before a user's words, and the mark with which it ends them."""

    before: str
    end: str


def opening(tokenizer: Any) -> Opening:
    """Where a user's turn begins and ends, by the tokenizer's own chat template.

    Raises ModelError for a template that cannot be looked into so.
    """
    if not tokenizer.chat_template:
        raise ModelError(
            "the model has no chat template, so nothing says where a user's turn begins; "
            "name general data with --replay-from"
        )
    turn = [{"role": "user", "content": STAND_IN}]
    text: str = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=False)
    before, stand_in, after = text.partition(STAND_IN)
    marks = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    placed = [(after.find(mark), -len(mark), mark) for mark in marks if mark and mark in after]
    end = min(placed)[2] if placed else after.strip()
    if not stand_in or STAND_IN in after or not before or not end:
        raise ModelError(
            "the chat template does not show where a user's turn begins and ends; "
            "name general data with --replay-from"
        )
    bos = tokenizer.bos_token or ""
    if bos and tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id:
        before = before.removeprefix(bos)  # who reads a text puts it there
    return Opening(before, end)


class OwnVoice:
    """What a model has a user say, and how it answers, as often as it is asked for.

    Everything it wrote is kept below ``folder``, by what decides it, and never written again: the
    same model and ``seed`` give the same. ``progress`` is told how many are there, of the
    ``expected`` or more that will be asked for.
    """

    def __init__(
        self,
        llm: LLM,
        opening: Opening,
        folder: Path,
        seed: int = 0,
        progress: Progress = silent,
        expected: int = FEWEST,
    ) -> None:
        self._llm, self._opening, self._seed, self._progress = llm, opening, seed, progress
        self._expected = expected
        decides = (VERSION, llm.fingerprint, opening.before, opening.end, seed, ASKING, ANSWERING)
        self._path = folder / f"{digest(*map(repr, decides))}.json"

    def __iter__(self) -> Iterator[Said]:
        """What is usable, ``MOST`` at most. Raises ModelError where hardly anything is."""
        tries: list[list[str]] = read_json(self._path) or []
        usable: list[str] = []
        place = 0
        while len(usable) < MOST:
            if place == len(tries):
                tries = tries + self._written(place, usable)
                write_json(self._path, tries)
            prompt, response = tries[place]
            place += 1
            if response:
                usable.append(prompt)
                self._progress("hearing the base", len(usable), max(self._expected, len(usable)))
                yield Said((Message("user", prompt),), response)
            if place >= TRIED and len(usable) < USABLE * place:
                raise ModelError(
                    f"of {place} prompts that the model wrote for itself {len(usable)} are usable: "
                    "too few to rehearse; name general data with --replay-from"
                )

    def _written(self, place: int, usable: Sequence[str]) -> list[list[str]]:
        """A round of prompts, the first with the number ``place``; empty answers where unusable."""
        asked = [self._prompt(place + number) for number in range(ROUND)]
        fresh: list[str] = []
        for prompt in asked:
            if prompt and known([prompt], [*usable, *fresh]) == [None]:
                fresh.append(prompt)
        chats = [(Message("user", prompt),) for prompt in fresh]
        answers = [whole(each) for each in self._llm.batch(chats, ANSWERING)] if chats else []
        said = dict(zip(fresh, answers, strict=True))
        return [[prompt, said.pop(prompt, "")] for prompt in asked]

    def _prompt(self, number: int) -> str:
        """What a user may say; empty if it is unusable. ``number`` draws another one each time."""
        seed = 1 + (self._seed * 1_000_003 + number) % SEEDS
        drawn = replace(ASKING, seed=seed, stop=(self._opening.end,))
        (written,) = self._llm.batch([self._opening.before], drawn)
        return whole(written) if len(said_in(written.text)) > 2 else ""


def spoken(said: Iterable[Said], most: int) -> Suite:
    """The first ``most`` conversations, with which it is measured what a model forgot."""
    replies = []
    for each in islice(said, most):
        name = digest(each.response, *(turn.content for turn in each.chat))
        replies.append(Reply(name, name, each.chat, each.response))
    return Suite({}, {"its own voice": tuple(replies)})


def whole(written: Completion) -> str:
    """What was written, if it came to its end, says something, and does not go round in circles."""
    text = written.text.strip()
    return text if written.finish == "stop" and not circles(text) else ""


def circles(text: str) -> bool:
    """Whether a text repeats itself.

    >>> circles("the wheel lifts water " * 4), circles("The wheel lifts water to the fields.")
    (True, False)
    """
    words = text.split()
    runs = list(windows(tuple(words), RUN))
    return len(set(runs)) < DISTINCT * len(runs)
