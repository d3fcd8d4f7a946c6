"""Errors as HTTP has them, in the form that OpenAI's clients read."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from noria.errors import BusyError, IndexStoreError, ModelError, NoriaError, UsageError
from noria.serve.route import UnknownModelError
from noria.serve.service import TookTooLongError
from noria.serve.slots import FullError
from noria.store.journal import UnknownAnswerError, UsedKeyError

log = logging.getLogger("noria.serve")
# the first that fits
STATUS: Mapping[type[Exception], tuple[int, str]] = {
    UnknownModelError: (404, "model_not_found"),
    UnknownAnswerError: (404, "answer_not_found"),
    UsedKeyError: (409, "idempotency_key_used"),
    UsageError: (400, "invalid_request_error"),
    TookTooLongError: (504, "timeout"),
    FullError: (503, "overloaded"),
    BusyError: (503, "overloaded"),
    IndexStoreError: (503, "not_ready"),
    SQLAlchemyError: (503, "store_unavailable"),
    ModelError: (502, "model_error"),
    NoriaError: (500, "server_error"),
}
AGAIN = 2  # seconds after which a store that was busy may not be


class RefusedError(Exception):
    """A request that is not let in."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, dict(headers or {})


def refuse(app: FastAPI) -> None:
    """Let ``app`` answer every error in one form."""
    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, unknown)
    for kind in (*STATUS, Exception):
        app.add_exception_handler(kind, failed)


def told(error: BaseException) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers for what went wrong. What nobody expected is not told in words."""
    for kind, (status, code) in STATUS.items():
        if isinstance(error, kind):
            seconds = error.seconds if isinstance(error, FullError) else AGAIN
            headers = {"Retry-After": f"{seconds:.0f}"} if status == 503 else {}
            if isinstance(error, SQLAlchemyError):  # its words are statements and what they hold
                log.error("the store did not answer", exc_info=error)
                return status, body("the store does not answer now; try again", code), headers
            return status, body(str(error), code), headers
    log.error("an answer failed", exc_info=error)
    return 500, body("something went wrong here; the log has more", "server_error"), {}


def body(message: str, code: str, param: str | None = None) -> dict[str, Any]:
    """An error as OpenAI's clients read it."""
    return {"error": {"message": message, "type": code, "param": param, "code": code}}


async def failed(request: Request, error: Exception) -> JSONResponse:
    """What Noria raised."""
    status, content, headers = told(error)
    return JSONResponse(content, status, headers)


async def refused(request: Request, error: Exception) -> JSONResponse:
    """What was not let in."""
    assert isinstance(error, RefusedError)
    return JSONResponse(body(str(error), error.code), error.status, error.headers)


async def invalid(request: Request, error: Exception) -> JSONResponse:
    """A body that is not what was expected: its first fault."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    message = f"{place}: {first['msg']}" if place else str(first["msg"])
    return JSONResponse(body(message, "invalid_request_error", place or None), 400)


async def unknown(request: Request, error: Exception) -> JSONResponse:
    """A path or a method that is not here."""
    assert isinstance(error, HTTPException)
    content = body(str(error.detail), getattr(error, "code", "invalid_request_error"))
    return JSONResponse(content, error.status_code, getattr(error, "headers", None))
