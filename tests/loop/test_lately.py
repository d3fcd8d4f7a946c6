"""How releases did lately, and their shadows beside them."""

from datetime import UTC, datetime
from typing import Any

from noria.loop.lately import Lately, lately
from noria.types import Event, Feedback

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def answer(id: str, text: str, kind: str = "answer", release: str = "r1", **more: Any) -> Event:
    usual = {"answer": text, "abstained": not text, "grounded": 0.5, "seconds": 2.0}
    return Event(id, NOW, "t", "ada", kind, release, "Who?", payload={**usual, **more})


def unseen(of: str, text: str, outcome: str = "ok", **more: Any) -> Event:
    told = {"shadows": of, "outcome": outcome, **more}
    return answer(f"s-{of}", text, "shadow", "r2", **told)


def test_a_shadow_stands_after_what_users_saw() -> None:
    shown = [answer("a-1", "Ada."), answer("a-2", "Ben."), answer("a-3", "")]
    shadows = [
        unseen("a-1", "ada", seconds=4.0),
        unseen("a-2", "Eva."),
        unseen("a-3", "", "abstained"),
        unseen("a-9", "Ada."),  # beside an answer from before
        unseen("a-2", "", "error", abstained=False),
    ]
    thumbs = [Feedback("f", NOW, "t", "ada", "a-1", "thumb", 1.0, release="r1")]
    (live, shadow) = lately(shown, thumbs, shadows)
    assert live == Lately("r1", 3, 1 / 3, 0.5, 2.0, up=1)
    assert shadow == Lately("r2", 4, 0.25, 0.5, 2.5, shadow=True, failed=1, same=2 / 3)
