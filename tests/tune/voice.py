"""A model that speaks to itself, and asks of another thing each time."""

from collections.abc import Sequence
from typing import Any

from noria.models.fake import FakeLLM
from noria.tune.own_voice import ANSWERING, Opening
from noria.types import Completion, Prompt, Sampling

TURN = Opening("<|user|>\n", "<|end|>")
THINGS = ("wheel", "mill", "well", "canal", "bridge", "tower", "garden", "harbour", "lamp", "road")


class Voice(FakeLLM):
    """Has a user ask of other things for other seeds; what it was asked is counted."""

    def __init__(self, prompts: dict[int, str] | None = None, answer: str = "") -> None:
        super().__init__()
        self.asked = 0
        self._prompts, self._said = prompts or {}, answer

    def batch(
        self, prompts: Sequence[Prompt], sampling: Sampling, done: Any = None
    ) -> list[Completion]:
        self.asked += len(prompts)
        return [self._completed(prompt, sampling) for prompt in prompts]

    def _completed(self, prompt: Prompt, sampling: Sampling) -> Completion:
        if isinstance(prompt, str):
            assert (prompt, sampling.stop) == (TURN.before, (TURN.end,))
            assert sampling.temperature > 0
            n = sampling.seed - 1
            usual = f"How do I paint {n} {THINGS[n % 10]}s {THINGS[n // 10 % 10]} number {n * n}?"
            text = self._prompts.get(n, usual)
        else:
            assert sampling == ANSWERING
            text = self._said or f"You paint it, as I said of {prompt[0].content}"
        ends = not text.endswith("…")
        return Completion(text, "stop" if ends else "length", 3, len(text.split()))
