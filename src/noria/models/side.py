"""Prompts that are completed side by side, each in a thread of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed

from noria.types import Completion


def gathered(
    running: Sequence[Future[Completion]], done: Callable[[int, Completion], None] | None
) -> list[Completion]:
    """The completions in order; ``done`` is told each as soon as it is there, in this thread.

    The first that fails raises here, after those that were there before it were told.
    """
    places = {future: place for place, future in enumerate(running)}
    for future in as_completed(running):
        completion = future.result()
        if done:
            done(places[future], completion)
    return [future.result() for future in running]
