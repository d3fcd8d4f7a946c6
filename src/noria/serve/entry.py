"""Who comes in: every endpoint that tells or takes something names ``Asks``."""

import asyncio
from typing import Annotated

from fastapi import Depends, Request

from noria.serve.auth import Caller
from noria.serve.refusals import RefusedError
from noria.serve.service import Service


async def caller_of(request: Request) -> Caller:
    """Who asks; without any key in the store, whoever reaches the port is let in."""
    service: Service = request.app.state.service
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else ""
    caller = service.keys.remembered(key) or await asyncio.to_thread(service.keys.admitted, key)
    if caller is None:
        message = "no valid API key; send one as: Authorization: Bearer nk-…"
        raise RefusedError(401, "invalid_api_key", message, {"WWW-Authenticate": "Bearer"})
    if wait := service.rates.wait(caller, service.settings.rate):
        message = f"this key asks too often; come back in {wait:.1f} s"
        headers = {"Retry-After": str(max(1, round(wait + 0.5)))}
        raise RefusedError(429, "rate_limit_exceeded", message, headers)
    return caller


Asks = Annotated[Caller, Depends(caller_of)]
