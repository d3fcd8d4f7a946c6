"""``/v1/feedback`` and ``/v1/events``: what people think and do; told as kept once it is."""

import asyncio
import logging
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Header
from sqlalchemy.exc import SQLAlchemyError

from noria.serve import bodies
from noria.serve.bodies import EventBody, FeedbackBody
from noria.serve.entry import Asks
from noria.serve.refusals import RefusedError
from noria.serve.service import Service
from noria.store.journal import ANSWER, SHADOW
from noria.types import Event, Feedback

log = logging.getLogger("noria.serve")
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=bodies.NAME)]


def routes(service: Service) -> APIRouter:
    """The endpoints of judgements and events."""
    router = APIRouter()

    def counted(given: FeedbackBody) -> None:
        try:
            release = service.journal.release_of(given.answer)
        except SQLAlchemyError as error:  # it is kept; whoever is told otherwise sends it again
            log.warning("a judgement was kept and not counted: %s", type(error).__name__)
            return
        service.observed.judged(release, given.kind, given.value)

    @router.post("/v1/feedback", status_code=201)
    async def feedback(
        given: FeedbackBody, caller: Asks, key: IdempotencyKey = None
    ) -> dict[str, str]:
        if wrong := given.wrong():
            raise RefusedError(400, "invalid_request_error", wrong)
        judged = Feedback(
            id=f"f-{uuid4().hex}",
            at=service.now(),
            tenant=caller.tenant,
            user=given.user,
            answer=given.answer,
            kind=given.kind,
            value=given.value,
            text=given.text,
            ranking=tuple(given.ranking),
        )
        id = await asyncio.wrap_future(service.journal.judge(judged, key))
        if id == judged.id:  # a retry is the same judgement, and was counted
            await asyncio.to_thread(counted, given)
        return {"id": id}

    @router.post("/v1/events", status_code=201)
    async def events(given: EventBody, caller: Asks, key: IdempotencyKey = None) -> dict[str, str]:
        event = Event(
            id=f"e-{uuid4().hex}",
            at=given.at or service.now(),
            tenant=caller.tenant,
            user=given.user,
            kind=given.kind,
            query=given.query,
            item=given.item,
            value=given.value,
        )
        if given.kind in (ANSWER, SHADOW):
            raise RefusedError(400, "invalid_request_error", "kind: answers are kept by the chat")
        return {"id": await asyncio.wrap_future(service.journal.record(event, key))}

    return router
