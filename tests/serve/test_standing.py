"""Promotion, canary and rollback, while the service answers."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from test_chats import asked, post

from noria.config import ServeSettings
from noria.loop.deploy import promoted, rolled_back, tried, widened
from noria.types import Prompt, Rollout
from served import NOW, Served

Serving = Callable[..., Served]


def change(at: Served, after: Rollout) -> None:
    at.rows.change(at.rows.now(), after, "test", after.live, {}, NOW)


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not come true in time"
        time.sleep(0.02)


def begin(at: Served, shares: dict[str, float]) -> None:
    """Try releases, and wait until the service does."""
    change(at, tried(at.rows.now(), shares, "x1", "salt", NOW))
    until(lambda: at.service.standing.rollout.trial is not None)


def release_of(at: Served, **more: Any) -> str:
    response = post(at, asked(**more))
    assert response.status_code == 200, response.text
    return str(response.json()["noria"]["release"])


def test_a_promotion_and_its_rollback_need_no_restart(serving: Serving) -> None:
    at = serving()
    change(at, promoted(at.rows.now(), "r2"))
    until(lambda: release_of(at) == "r2")
    assert release_of(at, model="previous") == "r1"
    loaded = len(at.yard.loaded)
    change(at, rolled_back(at.rows.now()))
    until(lambda: release_of(at) == "r1")
    assert len(at.yard.loaded) == loaded  # what was before is loaded still
    until(lambda: at.yard.closed == [("r1",)])


def test_a_user_stays_with_a_release_and_a_wider_share_takes_nobody_out(serving: Serving) -> None:
    at = serving()
    begin(at, {"r2": 0.3})
    users = [f"u{n}" for n in range(30)]
    first = {user: release_of(at, user=user) for user in users}
    assert set(first.values()) == {"r1", "r2"}
    assert {user: release_of(at, user=user) for user in users} == first
    before = at.rows.now()
    assert before is not None
    change(at, widened(before, "r2", 0.7, NOW))
    until(lambda: at.service.standing.rollout.trial != before.trial)
    second = {user: release_of(at, user=user) for user in users}
    assert {user for user in users if first[user] == "r2"} < {
        user for user in users if second[user] == "r2"
    }


def test_who_was_drawn_to_what_is_written_before_the_answer(serving: Serving) -> None:
    seen: list[int] = []

    def looking(release: str, prompt: Prompt) -> str:
        if "dug" in str(prompt):
            seen.append(len(at.journal.exposed("x1")[0]))
        return "Ada dug it."

    at = serving(looking)
    begin(at, {"r2": 1.0})
    told = post(at, asked(user="ada")).json()
    assert seen == [1]
    (exposure,), _ = at.journal.exposed("x1")
    assert (exposure.answer, exposure.release, exposure.outcome) == (told["id"], "r2", "ok")
    assert "ada" not in exposure.unit
    release_of(at, model="live")  # who names a release is in no experiment
    assert len(at.journal.exposed("x1")[0]) == 1


def test_what_cannot_be_loaded_does_not_answer_and_is_noted(serving: Serving) -> None:
    at = serving(broken=frozenset({"r2"}))
    change(at, tried(at.rows.now(), {"r2": 1.0}, "x1", "salt", NOW))
    until(lambda: bool(at.service.standing._refused))
    assert release_of(at, user="ada") == "r1"
    change(at, promoted(at.rows.now(), "r2"))
    time.sleep(0.6)
    assert release_of(at) == "r1"


def test_no_answer_fails_and_none_is_another_releases_while_they_change(serving: Serving) -> None:
    at = serving(lambda release, prompt: f"Ada dug it, says {release}.", places=4)
    stop = threading.Event()

    def swing() -> None:
        names = ["r2", "r3", "r1"]
        while not stop.is_set():
            change(at, promoted(at.rows.now(), names[0]))
            names.append(names.pop(0))
            time.sleep(0.1)

    async def load() -> list[dict[str, Any]]:
        """Asks until several releases have answered: how fast this machine is decides nothing."""
        found: list[dict[str, Any]] = []
        ends = time.monotonic() + 20
        async with at.client() as client:
            while len({told["noria"]["release"] for told in found}) < 3:
                assert time.monotonic() < ends, "the promotions never reached the answers"
                responses = await asyncio.gather(
                    *(client.post("/v1/chat/completions", json=asked()) for _ in range(4))
                )
                assert {each.status_code for each in responses} == {200}
                found += [each.json() for each in responses]
        return found

    swinging = threading.Thread(target=swing)
    swinging.start()
    try:
        answers = asyncio.run(load())
    finally:
        stop.set()
        swinging.join()
    for told in answers:
        assert told["choices"][0]["message"]["content"].endswith(f"{told['noria']['release']}.")


def test_who_leaves_is_no_error_of_the_release(serving: Serving) -> None:
    gate = threading.Event()

    def slow(release: str, prompt: Prompt) -> str:
        if "dug" in str(prompt):
            gate.wait(20)
        return "Ada dug the well in 1842 with her own hands."

    at = serving(slow)
    begin(at, {"r2": 1.0})

    async def leave() -> None:
        async with at.client() as client:
            asking = asyncio.create_task(
                client.post("/v1/chat/completions", json=asked(stream=True))
            )
            await asyncio.sleep(0.5)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(leave())
    gate.set()
    until(lambda: at.journal.exposed("x1")[0][0].outcome is not None)
    assert at.journal.exposed("x1")[0][0].outcome == "left"
    assert at.service.slots.running == 0


def test_a_rollout_of_before_a_restart_is_served_again(serving: Serving) -> None:
    at = serving()
    change(at, replace(promoted(at.rows.now(), "r2")))
    assert release_of(serving()) == "r2"


def test_one_that_cannot_be_loaded_holds_up_no_other(serving: Serving) -> None:
    at = serving(broken=frozenset({"r2"}))
    change(at, promoted(at.rows.now(), "r2"))
    until(lambda: bool(at.service.standing._refused))
    change(at, promoted(at.rows.now(), "r3"))  # r2 is previous now
    until(lambda: release_of(at) == "r3")


def test_one_that_was_mended_is_loaded_when_it_is_promoted_again(serving: Serving) -> None:
    at = serving(broken=frozenset({"r2"}))
    change(at, promoted(at.rows.now(), "r2"))
    until(lambda: bool(at.service.standing._refused))
    change(at, rolled_back(at.rows.now()))
    until(lambda: at.service.standing._seen == at.rows.now())
    at.yard.broken = frozenset()
    change(at, promoted(at.rows.now(), "r2"))
    until(lambda: release_of(at) == "r2")


def test_a_server_begins_with_what_can_be_loaded(serving: Serving) -> None:
    first = serving()
    change(first, promoted(first.rows.now(), "r2"))
    change(first, tried(first.rows.now(), {"r3": 1.0}, "x1", "salt", NOW))
    at = serving(broken=frozenset({"r1"}))
    assert release_of(at) == "r3"
    assert release_of(at, model="live") == "r2"
    assert post(at, asked(model="previous")).status_code == 404


def test_what_cannot_be_loaded_beside_what_is_live_is_not_tried_four_times_a_second(
    serving: Serving,
) -> None:
    at = serving()
    standing, tries = at.service.standing, list[Any]()
    standing._looking.close()

    def full(releases: Any) -> Any:
        tries.append(releases)
        raise MemoryError

    at.yard.fleet = full  # type: ignore[method-assign]
    change(at, promoted(at.rows.now(), "r2"))
    with pytest.raises(MemoryError):
        standing.refresh()
    tried_once = len(tries)
    for _ in range(3):
        standing.refresh()
    assert len(tries) == tried_once
    assert release_of(at) == "r1"


def test_two_promotions_between_two_looks_leave_no_gap(serving: Serving) -> None:
    at = serving()
    standing, rows = at.service.standing, at.rows
    standing._looking.close()  # it looks when the test says so
    for release in ("r2", "r3"):
        change(at, promoted(rows.now(), release))
    real = at.yard.fleet

    def watched(releases: Any) -> Any:
        assert standing.rollout.live in releases
        return real(releases)

    at.yard.fleet = watched  # type: ignore[method-assign]
    standing.refresh()
    assert release_of(at) == "r3"


def test_what_was_rolled_back_while_it_waited_answers_nobody(serving: Serving) -> None:
    gate, begun = threading.Event(), threading.Event()

    def says(release: str, prompt: Prompt) -> str:
        if "dug" in str(prompt):
            begun.set()
            gate.wait(20)
        return f"Ada dug it, says {release}."

    at = serving(says, places=1)
    begin(at, {"r2": 1.0})

    async def run() -> list[str]:
        async with at.client() as client:
            asking = [
                asyncio.create_task(client.post("/v1/chat/completions", json=asked(user=user)))
                for user in ("ada", "ben")
            ]
            await asyncio.to_thread(until, lambda: begun.is_set() and at.service.slots.waiting == 1)
            change(at, rolled_back(at.rows.now()))
            await asyncio.to_thread(until, lambda: at.service.standing.rollout.trial is None)
            gate.set()
            return [each.json()["noria"]["release"] for each in await asyncio.gather(*asking)]

    assert sorted(asyncio.run(run())) == ["r1", "r2"]


def test_without_a_user_a_conversation_stays_with_a_release(serving: Serving) -> None:
    at = serving()
    begin(at, {"r2": 0.5})

    def turns(question: str) -> list[str]:
        said = [{"role": "user", "content": question}]
        found = [release_of(at, messages=said)]
        for _ in range(3):
            said += [{"role": "assistant", "content": "Ada."}, {"role": "user", "content": "When?"}]
            found.append(release_of(at, messages=said))
        return found

    met = [turns(f"Who dug well {n}?") for n in range(12)]
    assert all(len(set(each)) == 1 for each in met)
    assert {each[0] for each in met} == {"r1", "r2"}
    assert len({shown.unit for shown in at.journal.exposed("x1")[0]}) == 12


def test_who_is_refused_has_an_end_and_one_that_hangs_has_none(serving: Serving) -> None:
    gate = threading.Event()

    def says(release: str, prompt: Prompt) -> str:
        if "dug" in str(prompt):
            gate.wait(20)
        return "Ada."

    at = serving(says, settings=ServeSettings(max_seconds=3))
    begin(at, {"r2": 1.0})
    assert post(at, asked("word " * 9000)).status_code == 400
    assert post(at, asked()).status_code == 504

    def ends() -> set[str | None]:
        return {each.outcome for each in at.journal.exposed("x1")[0]}

    assert ends() == {"refused", None}
    gate.set()
    until(lambda: ends() == {"refused", "timeout"})
