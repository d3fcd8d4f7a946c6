"""Turns examples into the tokens that a model reads, and those that it learns to write.

The prompt is rendered exactly as the server renders it: by the model's own chat template, with the
beginning of the assistant's turn. Learnt are the response and the mark that ends the turn: a model
that never learns the mark never stops.
"""

from dataclasses import dataclass, replace
from typing import Any

from noria.errors import ModelError, UsageError
from noria.types import Chat


@dataclass(frozen=True, slots=True)
class Lesson:
    """An example as token ids: ``before`` is read, ``after`` is learnt.

    ``chat``: what ``before`` renders; ``lost``: tokens of it that were too many. ``kept``: not
    ``after`` itself is learnt, but what the base expects in its places.
    """

    id: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    weight: float = 1.0
    chat: Chat = ()
    lost: int = 0
    kept: bool = False

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.before) + len(self.after)


class Renderer:
    """Renders chats with a tokenizer's own template.

    ``longest``: tokens of a lesson; a longer prompt loses its middle, a response never anything.
    """

    def __init__(self, tokenizer: Any, longest: int) -> None:
        if not tokenizer.chat_template:
            raise ModelError(
                "the model has no chat template, so nothing says where an answer begins; "
                "choose an instruction-tuned model"
            )
        self._tokenizer, self._longest = tokenizer, longest

    def lesson(self, id: str, chat: Chat, response: str, weight: float = 1.0) -> Lesson:
        """The tokens of ``response`` after ``chat``.

        Raises UsageError for a response that is empty, has a mark of the template in it, or alone
        is too long; ModelError where
        the template or the tokenizer do not keep the prompt's tokens when the response follows.
        """
        text, whole = self._rendered(id, chat, response)
        before, after = self._ids(text), self._ids(whole)
        if after[: len(before)] != before:
            raise ModelError(
                f"{id}: the tokenizer merges the end of the prompt with the response "
                f"{response[:20]!r}; the template must end the prompt with a mark of its own"
            )
        lesson = Lesson(id, before, self._ended(after[len(before) :], id), weight, chat)
        return cut(lesson, self._longest)

    def prompt(self, chat: Chat) -> tuple[int, ...]:
        """The tokens of a chat as the server reads it."""
        return self._ids(self._template(chat, answered=False))

    def _rendered(self, id: str, chat: Chat, response: str) -> tuple[str, str]:
        """The prompt as text, and the prompt with the response."""
        from noria.types import Message

        if not response.strip():
            raise UsageError(
                f"{id}: an empty response: there is nothing to learn; leave the example out"
            )
        mark = next((each for each in self._tokenizer.all_special_tokens if each in response), None)
        if mark is not None:
            raise UsageError(
                f"{id}: the response has {mark!r} in it, which is a mark of the chat template and "
                "would end the turn there; take it out"
            )
        text = self._template(chat, answered=False)
        whole = self._template((*chat, Message("assistant", response)), answered=True)
        if not whole.startswith(text):
            raise ModelError(
                "the chat template renders a prompt otherwise when its answer follows, so what is "
                "learnt would not be what is served; use a template that only appends"
            )
        return text, whole

    def _template(self, chat: Chat, *, answered: bool) -> str:
        messages = [{"role": m.role, "content": m.content} for m in chat]
        text: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=not answered
        )
        return text

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _ended(self, after: tuple[int, ...], id: str) -> tuple[int, ...]:
        """``after`` up to the first mark that ends a turn, which is learnt too."""
        marks = set(self._tokenizer.all_special_ids)
        ends = [place for place, token in enumerate(after) if token in marks]
        if not ends:
            raise ModelError(
                f"{id}: the template does not end an answer with a mark of its own, so the model "
                "would never learn to stop; use a template that does"
            )
        if ends[0] == 0:
            raise ModelError(f"{id}: no token of the response is left to learn; check the template")
        return after[: ends[0] + 1]


def cut(lesson: Lesson, longest: int) -> Lesson:
    """The lesson in ``longest`` tokens: its prompt without its middle.

    What stands first says who the model is, what stands last is the question.
    """
    room = longest - len(lesson.after)
    if room < 2:
        raise UsageError(
            f"{lesson.id}: the response has {len(lesson.after)} tokens and {longest} are allowed; "
            "shorten it, or allow more"
        )
    if len(lesson.before) <= room:
        return lesson
    head = room // 2
    before = lesson.before[:head] + lesson.before[-(room - head) :]
    return replace(lesson, before=before, lost=len(lesson.before) - len(before))
