"""The application: its endpoints, what every request passes, and its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import noria
from noria.serve import chats, finding, people, status
from noria.serve.door import Door
from noria.serve.refusals import refuse
from noria.serve.service import Service


def create_app(service: Service) -> FastAPI:
    """The application. It closes ``service`` when it ends."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.drain()
        await asyncio.to_thread(service.close)

    app = FastAPI(title="Noria", version=noria.__version__, lifespan=life)
    app.state.service = service
    refuse(app)
    for room in (chats, finding, people, status):
        app.include_router(room.routes(service))
    if service.settings.cors:
        from fastapi.middleware.cors import CORSMiddleware

        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(service.settings.cors),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
        )
    limit = 1024 * service.settings.max_body_kb
    app.add_middleware(Door, limit=limit, observed=service.observed)
    return app
