"""A crowd that asks a served Noria, and says what it thinks of the answers.

    python -m noria.testing.crowd QUESTIONS --url http://127.0.0.1:8000 --users 300
    python -m noria.testing.crowd QUESTIONS --users 300 --from 300 --taste random

Each user asks one question of the file, and many judge: the taste "short" likes brief answers that
cite something, and sometimes writes what it would have said instead (the answer in the file); the
taste "random" tosses a coin. Users have numbers from ``--from`` on: other numbers are other users.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from noria.errors import NoriaError
from noria.evaluate.questions import Question, read

Taste = Literal["short", "random"]
SHORT = 12  # words
JUDGE = 0.7  # share of users who judge
PLEASED, DISPLEASED = 0.9, 0.3  # how often a thumb goes up: for what the taste likes, and dislikes
WRITE = 0.5  # share of those who dislike an answer who write a better one


@dataclass(frozen=True)
class Crowd:
    """Users who ask ``questions`` and judge by ``taste``; ``seed`` draws what they do."""

    client: httpx.AsyncClient
    questions: Sequence[Question]
    taste: Taste
    seed: int = 0

    async def user(self, number: int) -> tuple[str, str]:
        """Ask as one user, and judge: the release that answered, and what was thought of it."""
        chance = random.Random(f"{self.seed} {number}")
        question = self.questions[number % len(self.questions)]
        name = f"user-{number}"
        body = {"model": "noria", "user": name, "messages": [
            {"role": "user", "content": question.text},
        ]}  # fmt: skip
        response = await self.post("/v1/chat/completions", body)
        if response.status_code == 504:  # a busy machine: whoever asked has gone
            return "none", "not answered in time"
        told = response.raise_for_status().json()
        release = str(told["noria"]["release"])
        if chance.random() >= JUDGE:
            return release, "silent"
        up = chance.random() < self.pleased(told)
        await self.judge(told, name, kind="thumb", value=1 if up else -1)
        if not up and self.taste == "short" and question.answers and chance.random() < WRITE:
            await self.judge(told, name, kind="correction", text=question.answers[0])
        return release, "up" if up else "down"

    def pleased(self, told: Any) -> float:
        """How likely a thumb goes up for an answer."""
        if self.taste == "random":
            return 0.5
        said, own = told["choices"][0]["message"]["content"], told["noria"]
        brief = 0 < len(said.split()) <= SHORT
        return PLEASED if brief and own["citations"] and not own["abstained"] else DISPLEASED

    async def judge(self, told: Any, user: str, **what: Any) -> None:
        """Tell what a user thinks of an answer."""
        body = {"answer": told["id"], "user": user, **what}
        (await self.post("/v1/feedback", body)).raise_for_status()

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Post, and come back when the service says so."""
        for _ in range(20):
            response = await self.client.post(path, json=body)
            if response.status_code not in (429, 503):
                return response
            await asyncio.sleep(float(response.headers.get("retry-after", 1)))
        raise SystemExit(f"{path}: the service stayed busy")

    async def come(
        self,
        numbers: Sequence[int],
        together: int,
        each: Callable[[int], object] = lambda done: None,
    ) -> dict[str, Counter[str]]:
        """Let users come, some ``together``; thumbs by release. ``each`` hears how many came."""
        found: dict[str, Counter[str]] = {}
        waiting = iter(numbers)
        done = 0

        async def queue() -> None:
            nonlocal done
            for number in waiting:
                release, thought = await self.user(number)
                found.setdefault(release, Counter())[thought] += 1
                done += 1
                each(done)

        await asyncio.gather(*(queue() for _ in range(together)))
        return found


def main() -> None:
    """Let the crowd come, and print what it thought."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", default="none")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--taste", choices=["short", "random"], default="short")
    parser.add_argument("--together", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        found = asyncio.run(came(given))
    except NoriaError as error:  # the questions
        raise SystemExit(str(error)) from None
    told = {release: dict(thoughts) for release, thoughts in sorted(found.items())}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


async def came(given: argparse.Namespace) -> dict[str, Counter[str]]:
    """The crowd of a command line."""
    headers = {"Authorization": f"Bearer {given.key}"}
    limits = httpx.Limits(max_connections=given.together)
    async with httpx.AsyncClient(
        base_url=given.url, headers=headers, timeout=300, limits=limits
    ) as client:
        try:
            (await client.get("/readyz")).raise_for_status()
        except httpx.HTTPError as error:
            raise SystemExit(f"{given.url} is not ready ({error}); run: noria serve") from None
        crowd = Crowd(client, read(given.questions).asked, given.taste, given.seed)

        def tell(done: int) -> None:
            if done % 50 == 0:
                sys.stderr.write(f"{done} of {given.users} users came\n")

        return await crowd.come(range(given.first, given.first + given.users), given.together, tell)


if __name__ == "__main__":
    main()
