"""What a thread tells a task comes over whole and in order, with few wake-ups."""

import asyncio
import threading

from noria.serve.service import Told


def test_all_pieces_come_in_order() -> None:
    async def run() -> list[int]:
        loop = asyncio.get_running_loop()
        told = Told(loop)
        thread = threading.Thread(target=lambda: [told.tell(n) for n in range(10_000)])
        thread.start()
        heard = [await asyncio.wait_for(told.heard(), 20) for _ in range(10_000)]
        thread.join()
        return heard

    assert asyncio.run(run()) == list(range(10_000))
