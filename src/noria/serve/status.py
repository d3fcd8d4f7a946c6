"""What is served here, whether it is ready, and what was counted."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from noria.serve.entry import Asks
from noria.serve.route import names
from noria.serve.service import Service
from noria.store import rollouts


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
        return {"rollout": rollouts.as_json(service.standing.rollout)}

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz() -> Response:
        ready = not service.draining
        content = {"status": "ready" if ready else "draining"}
        return JSONResponse(content, 200 if ready else 503)

    @router.get("/metrics")
    async def metrics(caller: Asks) -> Response:
        return Response(service.observed.told(), media_type="text/plain; version=0.0.4")

    return router
