"""``/v1/search`` and ``/v1/embeddings``: parts of the live release, alone."""

import base64
from typing import Any
from uuid import uuid4

from fastapi import APIRouter

from noria.answer.answerer import Answerer
from noria.serve import bodies
from noria.serve.auth import Caller
from noria.serve.bodies import EmbeddingsBody, SearchBody
from noria.serve.entry import Asks
from noria.serve.service import Service
from noria.types import Query


def routes(service: Service) -> APIRouter:
    """The endpoints that find and encode."""
    router = APIRouter()

    @router.post("/v1/search")
    async def search(given: SearchBody, caller: Asks) -> dict[str, Any]:
        query = Query(
            id=uuid4().hex,
            text=given.query,
            groups=seen(caller, given.noria.groups),
            fields=given.noria.fields,
        )
        slate = await service.with_live(caller, lambda live: live.funnel.search(query, given.k))
        return bodies.slate(slate)

    @router.post("/v1/embeddings")
    async def embeddings(given: EmbeddingsBody, caller: Asks) -> dict[str, Any]:
        texts = [given.input] if isinstance(given.input, str) else given.input

        def encode(live: Answerer) -> tuple[Any, int]:
            return live.encoder.encode_passages(texts), sum(map(live.encoder.count, texts))

        rows, tokens = await service.with_live(caller, encode)
        binary = given.encoding_format == "base64"
        return {
            "object": "list",
            "model": given.model,
            "data": [
                {
                    "object": "embedding",
                    "index": place,
                    "embedding": base64.b64encode(row.tobytes()).decode()
                    if binary
                    else row.tolist(),
                }
                for place, row in enumerate(rows)
            ],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    return router


def seen(caller: Caller, groups: list[str] | None) -> frozenset[str]:
    """The groups that both the key and the request name."""
    return caller.groups if groups is None else caller.groups & frozenset(groups)
