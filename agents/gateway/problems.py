"""Problems: every error as application/problem+json (RFC 9457), which says what to do."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from agents.gateway.redaction import redacted
from schemas.rules import shown
from sinks.reports.queries import NoTables
from streams.errors import RecordFault, ThreadsError, Unavailable

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_SHOWN = 100  # fields that are wrong, in one answer
RETRY_AFTER_S = 2.0  # where what is away says nothing


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    pointer: str = Field(description="JSON pointer into the body, or the name of a parameter after `?`.")
    detail: str


class Problem(BaseModel):
    """An error as RFC 9457 has it; `detail` says what was expected, what came, and what to do."""

    type: str = Field(description="about:blank, or a name of the kind of problem.", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no persona 'ada'; GET /v1/personas lists those there are"])
    instance: str = Field(description="The request's id, which is in the log too.", examples=["urn:uuid:5b0c1d2e"])
    errors: list[FieldProblem] | None = None


class Refused(ThreadsError):
    """A request that is answered with a problem; raise it anywhere in a route.

    `type_` is a word for the kind where clients tell it from others of the same status.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        type_: str = "about:blank",
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.type_ = status, detail, type_
        self.errors, self.headers = tuple(errors), dict(headers or {})


def not_found(kind: str, name: str, list_path: str | None = None) -> Refused:
    """Return the 404 of a thing that is not there, or that is another tenant's: the two look the same."""
    advice = f"; GET {list_path} lists those there are" if list_path else ""
    return Refused(HTTPStatus.NOT_FOUND, f"there is no {kind} {shown(name)}{advice}")


def problem_response(request: Request, refused: Refused) -> Response:
    """Return the answer of a refusal."""
    return _problem(str(request.scope.get("state", {}).get("request_id", "")), refused)


def problem_of(request_id: str, refused: Refused) -> Response:
    """Return the answer of a refusal where there is no request object."""
    return _problem(request_id, refused)


def _problem(request_id: str, refused: Refused) -> Response:
    content: dict[str, Any] = {
        "type": refused.type_,
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "detail": redacted(refused.detail),
        "instance": f"urn:uuid:{request_id}",
    }
    if refused.errors:
        content["errors"] = [{"pointer": each.pointer, "detail": redacted(each.detail)} for each in refused.errors]
    # ASCII alone: what a client sent may hold lone surrogates, which have no UTF-8
    return Response(json.dumps(content).encode(), refused.status, media_type=MEDIA_TYPE, headers=refused.headers)


def refusal_of(error: Exception) -> Refused:
    """Return what a client is told of an error; one that nobody thought of tells it nothing of ours."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, RecordFault):
        return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    if isinstance(error, Unavailable | NoTables):
        return unavailable(error)
    logger.error("A request ended with an error", exc_info=error)
    return Refused(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "the gateway has a fault; its log names it under the id in `instance`",
    )


def unavailable(error: Unavailable | NoTables) -> Refused:
    """Return the 503 of something that is away; its addresses are for the log, not for the client."""
    logger.warning("Something the gateway needs is away: %s", error)
    said_s = error.retry_after_s if isinstance(error, Unavailable) else None
    wait_s = math.ceil(said_s or RETRY_AFTER_S)
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"something the gateway needs does not answer; send the same again in {wait_s} s. The gateway's log names it",
        headers={"Retry-After": str(wait_s)},
    )


def _http(error: HTTPException) -> Refused:
    detail = {
        HTTPStatus.NOT_FOUND: "there is no such path; /openapi.json lists those there are",
        HTTPStatus.METHOD_NOT_ALLOWED: "the path does not take this method; the header Allow lists those it takes",
        HTTPStatus.BAD_REQUEST: "the body can't be read as JSON; send UTF-8 JSON with Content-Type: application/json",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is too large; send it in parts",
    }.get(HTTPStatus(error.status_code), str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers["Connection"] = "close"  # the rest of the body is not read
    return Refused(error.status_code, detail, headers=headers)


def _invalid(error: RequestValidationError) -> Refused:
    found = error.errors()
    errors = [_field_problem(each["loc"], each["msg"], each.get("input")) for each in found[:MOST_SHOWN]]
    first = f"{errors[0].pointer}: {errors[0].detail}" if errors else "see /openapi.json"
    more = f" (and {len(found) - 1} more in `errors`)" if len(found) > 1 else ""
    status = HTTPStatus.BAD_REQUEST if _is_syntax(error) else HTTPStatus.UNPROCESSABLE_ENTITY
    return Refused(status, f"{first}{more}", errors=errors)


def _is_syntax(error: RequestValidationError) -> bool:
    return any(each["type"] == "json_invalid" for each in error.errors())


def _field_problem(loc: Sequence[str | int], message: str, given: object) -> FieldProblem:
    place, *path = loc
    parts = [str(part) for part in path]
    pointer = (
        "/" + "/".join(parts) if place == "body" else f"?{'.'.join(parts)}" if place == "query" else ".".join(parts)
    )
    told = message.removeprefix("Value error, ")
    return FieldProblem(pointer=pointer, detail=f"{told}, got {shown(given)}")


def _methods_at(request: Request) -> list[str]:
    """Return what a path takes; the router names the methods of its first route alone."""
    there = [each for each in request.app.router.routes if isinstance(each, Route)]
    partial = [each.methods or () for each in there if each.matches(request.scope)[0] is Match.PARTIAL]
    return sorted({method for methods in partial for method in methods})


def answer_with_problems(app: FastAPI) -> None:
    """Make an app answer every error that a route raises with a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        refused = refusal_of(error)
        if refused.status == HTTPStatus.METHOD_NOT_ALLOWED and (methods := _methods_at(request)):
            refused.headers["Allow"] = ", ".join(methods)
        return problem_response(request, refused)

    handler: Callable[[Request, Exception], Awaitable[Response]] = answer
    for kind in (ThreadsError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handler)
