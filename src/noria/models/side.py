"""Prompts that are completed side by side, each slot in a thread of its own."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple

from noria.types import Completion, Prompt

STRETCH = 8  # prompts that a slot takes at once: neighbours, which often begin alike
SHARES = 4  # stretches a slot at least, so that none is left working alone at the end

Write = Callable[[Prompt, threading.Event], Completion]


def side_by_side(
    prompts: Sequence[Prompt],
    write: Write,
    slots: int,
    done: Callable[[int, Completion], None] | None = None,
) -> list[Completion]:
    """Complete ``prompts`` in ``slots`` threads; the completions come in the prompts' order.

    ``write`` completes one, and stops early once its event is set. ``done`` is told each as soon
    as it is there, in this thread. The first that fails raises here, after those that were there
    before it were told. Whatever ends this call, no thread outlives it.
    """
    written: queue.SimpleQueue[tuple[int, Completion | BaseException]] = queue.SimpleQueue()
    waiting = stretches(alike(prompts), slots)
    turn, stop = threading.Lock(), threading.Event()

    def work() -> None:
        for place in taken(waiting, turn):
            if stop.is_set():
                return
            written.put((place, tried(write, prompts[place], stop)))

    found: dict[int, Completion] = {}
    pool = ThreadPoolExecutor(slots)
    try:
        for _ in range(min(slots, len(prompts))):
            pool.submit(work)
        while len(found) < len(prompts):
            place, completion = written.get()
            if isinstance(completion, BaseException):
                raise completion
            found[place] = completion
            if done:
                done(place, completion)
    finally:
        stop.set()  # after an error or Ctrl-C the others end at their next token
        pool.shutdown()
    return [found[place] for place in range(len(prompts))]


def tried(write: Write, prompt: Prompt, stop: threading.Event) -> Completion | BaseException:
    """What ``write`` returns or raises, to be carried over to the thread that waits."""
    try:
        return write(prompt, stop)
    except BaseException as error:
        return error


def taken(waiting: Iterator[Sequence[int]], turn: threading.Lock) -> Iterator[int]:
    """Places from ``waiting``, which several threads share, a stretch at a time."""
    while True:
        with turn:
            stretch = next(waiting, ())
        if not stretch:
            return
        yield from stretch


def alike(prompts: Sequence[Prompt]) -> list[int]:
    """The places of ``prompts``, those that begin alike next to each other.

    A slot reads again only what differs from the prompt that it read before.

    >>> alike(["the moon", "a wheel", "the mill"])
    [1, 2, 0]
    """
    return sorted(range(len(prompts)), key=lambda place: spelled(prompts[place]))


def spelled(prompt: Prompt) -> tuple[str, ...]:
    """What a prompt is sorted by; one that is continued stands before the chats."""
    if isinstance(prompt, str):
        return ("", prompt)
    return tuple(part for message in prompt for part in astuple(message))


def stretches(places: Sequence[int], slots: int) -> Iterator[Sequence[int]]:
    """``places`` in stretches of equal length, short where there are few."""
    length = max(1, min(STRETCH, len(places) // (slots * SHARES)))
    return (places[start : start + length] for start in range(0, len(places), length))
