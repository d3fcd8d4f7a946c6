"""What is served here, whether it is ready, and what was counted."""

import asyncio
import logging
from time import monotonic
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from noria.errors import IndexStoreError
from noria.serve.entry import Asks
from noria.serve.route import names
from noria.serve.service import Service
from noria.store import rollouts

READY = "ready"
FRESH, PATIENCE = 1.0, 5.0  # seconds that a look is believed, and that it may take
log = logging.getLogger("noria.serve")


class Probe:
    """Whether a question would be answered now: one look at a time, and one a second at most."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._looking: asyncio.Task[str] | None = None
        self._told, self._until = READY, 0.0

    async def told(self) -> str:
        """``READY``, or what is missing."""
        if self._looking is None:
            if monotonic() < self._until:
                return self._told
            self._looking = asyncio.create_task(self._looked())
        try:
            return await asyncio.wait_for(asyncio.shield(self._looking), PATIENCE)
        except TimeoutError:
            return f"nothing came of it in {PATIENCE:.0f} s"

    async def _looked(self) -> str:
        try:
            await asyncio.to_thread(self._service.probe)
            self._told = READY
        except IndexStoreError as error:
            log.warning("not ready: %s", error)  # which names paths
            self._told = "no passages can be searched"
        except Exception as error:  # whatever it is, no question would be answered
            log.warning("not ready: %s", error)
            self._told = "the store or the passages do not answer"
        finally:
            self._until, self._looking = monotonic() + FRESH, None
        return self._told


def routes(service: Service) -> APIRouter:
    """The endpoints that tell of the service."""
    router = APIRouter()

    @router.get("/v1/models")
    async def models(caller: Asks) -> dict[str, Any]:
        since = int(service.now().timestamp())
        return {
            "object": "list",
            "data": [
                {"id": id, "object": "model", "created": since, "owned_by": "noria"}
                for id in names(service.standing.rollout)
            ],
        }

    @router.get("/v1/releases")
    async def releases(caller: Asks) -> dict[str, Any]:
        told = rollouts.as_json(service.standing.rollout)
        if told["trial"]:  # with the salt anybody could compute whom a canary answers
            told["trial"] = {name: told["trial"][name] for name in ("experiment", "kind", "steps")}
        return {"rollout": told}

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    probe = Probe(service)

    @router.get("/readyz")
    async def readyz() -> Response:
        status = "draining" if service.draining else await probe.told()
        return JSONResponse({"status": status}, 200 if status == READY else 503)

    @router.get("/metrics")
    async def metrics(caller: Asks) -> Response:
        return Response(service.observed.told(), media_type="text/plain; version=0.0.4")

    return router
