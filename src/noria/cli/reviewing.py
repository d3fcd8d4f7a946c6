"""One answer after the other, in a terminal: shown, judged, kept. Knows no database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from noria.errors import UsageError
from noria.types import Item, Review, Verdict

if TYPE_CHECKING:
    from noria.loop.feedback.queue import Waiting

Choice = Literal["right", "wrong", "unanswerable", "skip", "quit"]
CHOICES: dict[str, Choice] = {
    "r": "right", "w": "wrong", "u": "unanswerable", "s": "skip", "q": "quit",
}  # fmt: skip


@dataclass(frozen=True)
class Session:
    """A reviewer at a terminal.

    ``keep`` says whether a review is new; it is called before the next answer is shown, so that an
    interruption loses nothing but the answer that is being looked at.
    """

    ask: Callable[[str], str]
    tell: Callable[[str], None]
    keep: Callable[[Review], bool]
    reviewer: str
    now: Callable[[], datetime]

    def go_through(self, queue: "Sequence[Waiting]") -> tuple[int, int]:
        """Ask for a verdict on each; how many were given, and how many answers are left."""
        done = 0
        for place, waiting in enumerate(queue):
            self.tell(shown(waiting, place + 1, len(queue)))
            try:
                review = self.verdict(waiting)
            except EOFError:  # nobody answers any more, or has had enough
                break
            if review is not None:
                self.keep(review)
                done += 1
        return done, len(queue) - done

    def verdict(self, waiting: "Waiting") -> Review | None:
        """What the reviewer says of one answer; None to skip it. Raises EOFError to quit."""
        given = waiting.given
        choice = self.choice()
        if choice == "quit":
            raise EOFError
        if choice == "skip":
            return None
        verdict: Verdict = choice
        text = self.ask("correct answer (empty: not known):") if verdict == "wrong" else ""
        intent = self.ask("intent, in a word or two (empty: none):")
        items = passages(waiting)
        chosen = self.chosen(items) if items and (verdict == "right" or text.strip()) else ()
        return Review(
            answer=given.id,
            at=self.now(),
            tenant=given.tenant,
            reviewer=self.reviewer,
            verdict=verdict,
            text=text.strip() or None,
            intent=intent.strip() or None,
            passages=chosen,
        )

    def choice(self) -> Choice:
        """One of what may be said; asked again until it is one."""
        while True:
            said = self.ask("right, wrong, unanswerable, skip, quit [r/w/u/s/q]:").strip().lower()
            if said[:1] in CHOICES and CHOICES[said[:1]].startswith(said):
                return CHOICES[said[:1]]
            self.tell("please type r, w, u, s or q")

    def chosen(self, items: Sequence[Item]) -> tuple[str, ...]:
        """The ids of the passages that the reviewer names by their numbers."""
        while True:
            said = self.ask("passages that support it, as 1,3 (empty: none):")
            try:
                return tuple(items[at].id for at in places(said, len(items)))
            except UsageError as wrong:
                self.tell(str(wrong))


def places(said: str, most: int) -> tuple[int, ...]:
    """Places from numbers that count from 1; raises UsageError for anything else.

    >>> places("1, 3", 3), places("", 3)
    ((0, 2), ())
    """
    words = said.replace(",", " ").split()
    if not all(word.isdecimal() and 1 <= int(word) <= most for word in words):
        raise UsageError(f"please type numbers from 1 to {most}, with commas between them")
    return tuple(dict.fromkeys(int(word) - 1 for word in words))


def passages(waiting: "Waiting") -> list[Item]:
    """What an answer read and is still there, in the order in which it read it."""
    found = waiting.found.seen
    return [found[id] for id in waiting.given.read if id in found]


def shown(waiting: "Waiting", number: int, of: int) -> str:
    """An answer with all that helps to judge it."""
    from noria.loop.feedback.label_studio import said

    given = waiting.given
    lines = [f"\n--- {number} of {of} · {', '.join(waiting.why)} · {given.id}"]
    lines += [f"before:   {turn}" for turn in given.history]
    lines += [f"question: {given.question}", f"answer:   {given.text}"]
    lines += [f"said:     {line}" for line in said(waiting)]
    for place, item in enumerate(passages(waiting), 1):
        cited = " (cited)" if item.id in given.cited else ""
        lines += [f"[{place}] {item.document or item.id}{cited}: {item.text}"]
    return "\n".join(harmless(line) for line in lines)


def harmless(text: str) -> str:
    r"""A text that does not move the cursor, or colour the screen: users wrote it.

    >>> harmless("a\x1b[2Jb\nc")
    'a[2Jb\nc'
    """
    return "".join(c for c in text if c in "\n\t" or c.isprintable())
