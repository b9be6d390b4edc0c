"""Errors to HTTP: every refusal, whoever raised it, leaves as the one `ErrorBody`.

The words are those of the error itself. What was unexpected is logged under the request's id, and
the answer names only that id.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from skills.errors import TooLargeError, ZunftError
from skills.messages.base import ErrorBody, ErrorDetail

__all__ = [
    "install_errors",
    "nowhere_response",
    "refusals",
    "too_large",
    "too_large_response",
    "unexpected_response",
]

RETRY_SECONDS = 2
"""For whoever asked while the database was away."""
REMEDIES = {
    404: "See /docs for the routes of this hub.",
    405: "See /docs for the methods of this route.",
}


def install_errors(app: FastAPI) -> None:
    """Give the app one shape for all its errors."""
    app.add_exception_handler(ZunftError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(OperationalError, _without_database)


def error_response(status: int, detail: ErrorDetail, headers: dict[str, str] | None = None) -> JSONResponse:
    """The one shape. What it repeats of a request may be long, and no text at all."""
    plain = {"message": _plain(detail.message, 2000), "where": _plain(detail.where, 200)}
    body = ErrorBody(error=detail.model_copy(update=plain))
    return JSONResponse(body.model_dump(mode="json"), status, headers)


def _plain(text: str, limit: int) -> str:
    return text[:limit].encode("utf-8", "replace").decode()


def unexpected_response(request_id: str) -> JSONResponse:
    """What a caller learns of a fault of ours: where to look, and nothing of the inside."""
    detail = ErrorDetail(
        code="internal_error",
        message="the hub failed at this request.",
        remedy="Try again; if it stays, give the operator this request's id.",
        request_id=request_id,
    )
    return error_response(500, detail)


def nowhere_response(request_id: str) -> JSONResponse:
    """An address at which nothing can be."""
    detail = ErrorDetail(
        code="not_found", message="nothing lies at this address.", remedy=REMEDIES[404], request_id=request_id
    )
    return error_response(404, detail)


def too_large() -> TooLargeError:
    """The refusal of a body over the hub's limit; it was not read to its end."""
    _, message, where, remedy = EXAMPLES[413]
    return TooLargeError(message, where=where, remedy=remedy)


def too_large_response(request_id: str) -> JSONResponse:
    """A body over the limit; it was not read to its end."""
    code, message, where, remedy = EXAMPLES[413]
    detail = ErrorDetail(code=code, message=message, where=where, remedy=remedy, request_id=request_id)
    return error_response(413, detail)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its documentation."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": _content(status)}
        for status in sorted(statuses)
    }


def _content(status: int) -> dict[str, Any]:
    code, message, where, remedy = EXAMPLES[status]
    detail = ErrorDetail(
        code=code, message=message, where=where, remedy=remedy, request_id="4f1c20b7d9e84a55"
    )
    example = ErrorBody(error=detail).model_dump(mode="json")
    # Named here and not by `model`, which would document a stream's refusals as streams.
    return {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}, "example": example}}


EXAMPLES = {
    401: (
        "unauthorized",
        "this token belongs to nobody.",
        "Authorization",
        "Send `Authorization: Bearer zt_...` with a token that is not revoked.",
    ),
    403: (
        "forbidden",
        "this needs the role operator; ada is a researcher.",
        "",
        "Ask an operator of the hub.",
    ),
    404: ("not_found", "there is no skill 'weld-saem'.", "name", "See the list of skills."),
    409: (
        "round_closed",
        "round c-5f0c2a91b3-4 no longer takes deltas: it is merging.",
        "round_id",
        "Drop this delta and ask for a new assignment.",
    ),
    413: (
        "too_large",
        "the body is over the limit and was not read.",
        "body",
        "Send less; the limits are settings of the hub.",
    ),
    416: ("unsatisfiable_range", "the file has 1234 bytes.", "Range", "Ask for bytes 0 to 1233."),
    422: ("invalid_request", "Field required.", "body.skill", "Compare the request with /docs."),
    429: (
        "too_many_requests",
        "too many requests.",
        "",
        "Ask again in 2.5 s; what is allowed is a setting of the hub.",
    ),
    503: ("store_unavailable", "the store did not answer.", "store_url", "Try again later."),
}


async def _ours(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ZunftError):
        raise error
    detail = ErrorDetail(
        code=error.code,
        message=error.message,
        where=error.where,
        remedy=error.remedy,
        request_id=request.state.request_id,
    )
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
    if error.retry_after:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    structlog.get_logger("zunft.api").info("request.refused", code=error.code, reason=error.message)
    return _refuse(request, error.status, detail, headers)


async def _without_database(request: Request, error: Exception) -> JSONResponse:
    """It is away, or its disk is full. Nothing was done: a transaction is written whole or not at all."""
    if not isinstance(error, OperationalError):
        raise error
    structlog.get_logger("zunft.api").warning("request.without_database", reason=str(error.orig))
    detail = ErrorDetail(
        code="database_unavailable",
        message="the database does not answer, or its disk has no room.",
        where="database_url",
        remedy="Try again later. The operator looks for room on the disk, and whether the database runs.",
        request_id=request.state.request_id,
    )
    return _refuse(request, 503, detail, {"Retry-After": str(RETRY_SECONDS)})


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        code, message, where = "not_json", f"the body is not JSON: {first['ctx']['error']}.", "body"
    else:
        where = ".".join(str(part)[:64] for part in first["loc"])
        code, message = "invalid_request", f"{first['msg']}."
    return _invalid_request(request, code, message, where)


def _invalid_request(request: Request, code: str, message: str, where: str) -> JSONResponse:
    detail = ErrorDetail(
        code=code,
        message=message,
        where=where,
        remedy="Compare the request with /docs.",
        request_id=request.state.request_id,
    )
    return _refuse(request, 422, detail)


async def _of_the_framework(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large_response(request.state.request_id)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # The framework gave up on the body: not UTF-8, too deep, a number of thousands of digits.
        return _invalid_request(request, "not_json", f"the body is not JSON: {error.__cause__}.", "body")
    detail = ErrorDetail(
        code=HTTPStatus(error.status_code).phrase.lower().replace(" ", "_"),
        message=f"{error.detail}.",
        where=request.url.path,
        remedy=REMEDIES.get(error.status_code, "See /docs."),
        request_id=request.state.request_id,
    )
    return _refuse(request, error.status_code, detail, dict(error.headers or {}))


def _refuse(
    request: Request, status: int, detail: ErrorDetail, headers: dict[str, str] | None = None
) -> JSONResponse:
    request.state.error_code = detail.code  # for whoever counts refusals
    return error_response(status, detail, headers)
