"""Models that need no weights, the same in every process: for tests and for trying out.

They keep every promise of the protocols; only what they say is simple.
"""

import hashlib
import math
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from noria.errors import ModelError
from noria.types import Completion, Likelihood, Prompt, Sampling

if TYPE_CHECKING:
    from noria.protocols import Matrix

WORD = re.compile(r"\w+")
SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
STOP_WORDS = frozenset(
    WORD.findall(
        "a an and are as at be by do does for from how in is it of on or that the this to was "
        "what when where which who why will with you your"
    )
)
UNKNOWN = "I do not know."

Script = Mapping[str, str] | Callable[[Prompt], str] | Iterable[str]


class FakeEncoder:
    """Hashes words and their trigrams into ``dimension`` numbers: texts that share words are near.

    >>> encoder = FakeEncoder()
    >>> wheel, water, tax = encoder.encode_passages(["a water wheel", "the wheel of water", "tax"])
    >>> bool(wheel @ water > wheel @ tax)
    True
    """

    def __init__(self, dimension: int = 256, max_tokens: int = 256) -> None:
        self._dimension, self._max_tokens = dimension, max_tokens

    @property
    def fingerprint(self) -> str:
        """Names this fake and its sizes."""
        return digest(f"fake encoder 1 {self._dimension} {self._max_tokens}").hex()

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._dimension

    @property
    def max_tokens(self) -> int:
        """Words of a passage that are read."""
        return self._max_tokens

    def count(self, text: str) -> int:
        """Number of words."""
        return len(WORD.findall(text))

    def encode_queries(self, texts: Sequence[str]) -> "Matrix":
        """One row a question."""
        return self._encode(texts)

    def encode_passages(self, texts: Sequence[str]) -> "Matrix":
        """One row a passage."""
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> "Matrix":
        import numpy as np

        rows = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for feature, weight in features(text, self._max_tokens):
                mark = int.from_bytes(digest(feature)[:8], "big")
                row[(mark >> 1) % self._dimension] += weight if mark & 1 else -weight
            length = float(np.linalg.norm(row))
            if length == 0.0:  # no words, or features that cancel out: any unit vector will do
                row[0] = length = 1.0
            row /= length
        return rows


class FakeLLM:
    r"""Says what its script says, word by word; without one, quotes the prompt.

    ``script``: answers by a phrase of the prompt (the first phrase that occurs), a function of the
    prompt, or answers in turn. Without a script, or for a prompt that no phrase fits, the answer
    is the sentence of the prompt that shares most words with its last line. Words are tokens.

    >>> FakeLLM(["Seven."]).batch(["How many?"], Sampling())[0].text
    'Seven.'
    >>> prompt = "The wheel lifts water. The moon is far.\nWhat lifts water?"
    >>> FakeLLM().batch([prompt], Sampling())[0].text
    'The wheel lifts water.'
    """

    def __init__(self, script: Script | None = None, context: int = 2048) -> None:
        self._answer, self._context = answering(script), context
        self.prompts: list[Prompt] = []  # every prompt it was given, for tests to read

    @property
    def fingerprint(self) -> str:
        """Names this fake."""
        return digest("fake llm 1").hex()

    @property
    def context(self) -> int:
        """Its window, in words."""
        return self._context

    def count(self, text: str) -> int:
        """Number of words, as ``stream`` counts them."""
        return len(words_of(text))

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """Yield the answer word by word. Raises ModelError for a prompt longer than the window."""
        asked = self.count(plain(prompt))
        if asked > self._context:
            raise ModelError(f"the prompt has {asked} tokens, the window {self._context}")
        self.prompts.append(prompt)
        answer = self._answer(prompt)
        cuts = [answer.find(mark) for mark in sampling.stop if mark and mark in answer]
        words = words_of(answer[: min(cuts)] if cuts else answer)
        said = words[: sampling.max_tokens]
        yield from said
        return Completion(
            "".join(said), "stop" if len(said) == len(words) else "length", asked, len(said)
        )

    def batch(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        done: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Complete ``prompts``, one after the other."""
        completions = []
        for place, prompt in enumerate(prompts):
            completions.append(self._complete(prompt, sampling))
            if done:
                done(place, completions[-1])
        return completions

    def _complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        pieces = self.stream(prompt, sampling)
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                completion: Completion = end.value
                return completion


class FakeScorer:
    """Finds a continuation likelier, the more of its words the prompt holds.

    >>> good, bad = FakeScorer().score(["water wheel"] * 2, ["the wheel", "the moon"])
    >>> good.logprob > bad.logprob
    True
    """

    def score(
        self,
        prompts: Sequence[Prompt],
        continuations: Sequence[str],
        done: Callable[[int, Likelihood], None] | None = None,
    ) -> list[Likelihood]:
        """Log-probability of each continuation: a half for a known word, 1/100 for a new one."""
        found = []
        for place, (prompt, text) in enumerate(zip(prompts, continuations, strict=True)):
            found.append(overlap(plain(prompt), text))
            if done:
                done(place, found[-1])
        return found


def overlap(prompt: str, continuation: str) -> Likelihood:
    """The likelihood of ``continuation``, word by word."""
    known = {word.lower() for word in WORD.findall(prompt)}
    words = [word.lower() for word in WORD.findall(continuation)] or [""]
    return Likelihood(sum(math.log(0.5 if w in known else 0.01) for w in words), len(words))


def digest(text: str) -> bytes:
    """A hash that is the same in every process, unlike the built-in one."""
    return hashlib.blake2b(text.encode(), digest_size=32).digest()


def features(text: str, limit: int) -> list[tuple[str, float]]:
    """Words, and the trigrams that let inflected forms meet, with their weights.

    Stop words count little.
    """
    found = []
    for word in WORD.findall(text.lower())[:limit]:
        weight = 0.1 if word in STOP_WORDS else 1.0
        padded = f"^{word}$"
        found.append((word, weight))
        found += [(padded[i : i + 3], weight * 0.3) for i in range(len(padded) - 2)]
    return found


def words_of(text: str) -> list[str]:
    """Words with the white space before them: joined they are the text again.

    >>> words_of("Two words. ")
    ['Two', ' words.', ' ']
    """
    return re.findall(r"\s*\S+|\s+", text)


def plain(prompt: Prompt) -> str:
    """The text of a prompt."""
    return prompt if isinstance(prompt, str) else "\n".join(m.content for m in prompt)


def answering(script: Script | None) -> Callable[[Prompt], str]:
    """How a script answers a prompt."""
    if script is None:
        return quoted
    if callable(script):
        return script
    if isinstance(script, Mapping):
        by_phrase = script
        return lambda prompt: next(
            (answer for phrase, answer in by_phrase.items() if phrase in plain(prompt)),
            quoted(prompt),
        )
    turns = deque(script)

    def next_turn(prompt: Prompt) -> str:
        if not turns:
            raise ModelError("the fake model has said everything in its script; give it more")
        return turns.popleft()

    return next_turn


def quoted(prompt: Prompt) -> str:
    """The sentence that shares most words with the prompt's last line, questions left out."""
    lines = [line for line in plain(prompt).splitlines() if line.strip()]
    if not lines:
        return UNKNOWN
    wanted = content_words(lines[-1])
    sentences = [s.strip() for line in lines[:-1] or lines for s in SENTENCE.findall(line)]
    told = [s for s in sentences if s and not s.endswith("?")]
    best = max(told, key=lambda s: len(content_words(s) & wanted), default="")
    return best if content_words(best) & wanted else UNKNOWN


def content_words(text: str) -> set[str]:
    """Its words without the common ones."""
    return {word.lower() for word in WORD.findall(text)} - STOP_WORDS
