"""``/v1/chat/completions``: whole, or as server-sent events."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.background import BackgroundTask

from noria.serve import bodies
from noria.serve.bodies import ChatBody
from noria.serve.conversation import Wanted
from noria.serve.course import Course
from noria.serve.entry import Asks
from noria.serve.refusals import told
from noria.serve.service import Service
from noria.types import Answer

TRACE = ("traceparent", "tracestate")
FLUSH = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # no proxy may wait for more


def routes(service: Service) -> APIRouter:
    """The endpoint of chats."""
    router = APIRouter()

    @router.post("/v1/chat/completions")
    async def chat(given: ChatBody, caller: Asks, request: Request) -> Response:
        """Answer the last message from the documents, as the releases that are live do."""
        course, wanted = course_of(given, request), wanted_of(given)
        writing = service.answer(course, wanted, caller)
        then = partial(service.shadow, wanted, given.model, caller)
        response = bodies.ChatResponse(course.id, given.model, int(service.now().timestamp()))
        if given.stream:
            first = await anext(writing)  # before the status is told: errors keep theirs
            counted = bool((given.stream_options or {}).get("include_usage"))
            chunks = streamed(writing, first, response, counted, then)
            return StreamingResponse(chunks, media_type="text/event-stream", headers=FLUSH)
        answer = await ended(writing)
        return JSONResponse(response.whole(answer), background=BackgroundTask(then, answer))

    return router


async def ended(writing: AsyncIterator[str | Answer]) -> Answer:
    """The answer, once it is there."""
    async for piece in writing:
        if isinstance(piece, Answer):
            return piece
    raise AssertionError("a service gives an answer, or raises")


def wanted_of(given: ChatBody) -> Wanted:
    """What a chat's body asks for."""
    return Wanted(
        messages=given.chat(),
        user=given.user,
        groups=None if given.noria.groups is None else frozenset(given.noria.groups),
        fields=given.noria.fields,
        max_tokens=given.max_completion_tokens or given.max_tokens,
        temperature=given.temperature,
        stop=given.stops,
        seed=given.seed,
    )


def course_of(given: ChatBody, request: Request) -> Course:
    """A chat that has come. Of its headers, those of a trace are kept."""
    headers = request.headers
    return Course(
        id=f"a-{uuid4().hex}",
        model=given.model,
        stream=given.stream,
        max_tokens=given.max_completion_tokens or given.max_tokens,
        temperature=given.temperature,
        seed=given.seed,
        parent={name: headers[name] for name in TRACE if name in headers},
    )


async def streamed(
    writing: AsyncIterator[str | Answer],
    first: str | Answer,
    response: bodies.ChatResponse,
    counted: bool,
    then: Callable[[Answer], Awaitable[None]],
) -> AsyncIterator[str]:
    """Server-sent events: a role, pieces, the end with what is Noria's own, and how much it was.

    ``then``: what begins when all was sent.
    """
    yield event(response.chunk({"role": "assistant", "content": ""}))
    piece: str | Answer = first
    try:
        while not isinstance(piece, Answer):
            yield event(response.chunk({"content": piece}))
            piece = await anext(writing)
    except Exception as error:  # the status was told: the error is the last event
        _, content, _ = told(error)
        yield event(content)
        return
    yield event(response.chunk({}, piece.finish, noria=bodies.own(piece)))
    if counted:
        yield event(response.chunk(None, usage=bodies.usage(piece)))
    yield "data: [DONE]\n\n"
    await then(piece)


def event(content: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"
