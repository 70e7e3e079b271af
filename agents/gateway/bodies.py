"""JSON bodies of routes that are asked often: read in one pass, without FastAPI's way by Python objects."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from types import GenericAlias
from typing import Annotated, Any, Generic, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.requests import Request

from agents.gateway.problems import FieldProblem, Refused

Body = TypeVar("Body", bound=BaseModel)
JSON = "application/json"
MOST_ERRORS = 10_000


class OneOrMany(Generic[Body]):
    """A body that is one object, or a list of 1 to `most`; `kind` is flat: no models within."""

    def __init__(self, kind: type[Body], most: int) -> None:
        self._one = TypeAdapter(kind)
        kinds: Any = GenericAlias(list, (kind,))
        # bounded there: each of a million items that are wrong would be an error of its own
        self._many: TypeAdapter[list[Body]] = TypeAdapter(Annotated[kinds, Field(max_length=most)])
        self._most = most

    @property
    def openapi(self) -> dict[str, Any]:
        """Return `openapi_extra` of a route that takes it."""
        one = self._one.json_schema()
        many = {"type": "array", "items": one, "minItems": 1, "maxItems": self._most, "title": "List"}
        return {"requestBody": {"required": True, "content": {JSON: {"schema": {"anyOf": [one, many]}}}}}

    async def read(self, request: Request) -> tuple[Sequence[Body], bool]:
        """Return what a request holds, and whether it is a list.

        Raises:
            Refused: it is not sent as JSON, or is none, or the list is too long or empty.
            RequestValidationError: a field is not as expected; names each.
        """
        require_json(request)
        body = await request.body()
        is_list = body.lstrip()[:1] == b"["
        try:
            if not is_list:
                return [self._one.validate_json(body)], False
            found = self._many.validate_json(body)
        except ValidationError as error:
            first = error.errors(include_input=False)[0] if error.error_count() == 1 else None
            if first is not None and (first["type"], first["loc"]) == ("too_long", ()):
                raise self._not_so_many(first["ctx"]["actual_length"]) from error
            raise invalid_body(error) from error
        if not found:
            raise self._not_so_many(0)
        return found, True

    def _not_so_many(self, count: int) -> Refused:
        told = f"expected a list of 1 to {self._most}, got {count}; send them in parts"
        return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, told, errors=[FieldProblem(pointer="/", detail=told)])


def require_json(request: Request) -> None:
    """See that a body is sent as JSON.

    Raises:
        Refused: it is sent as something else.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON and not media_type.endswith("+json"):
        told = f"expected Content-Type: application/json, got {media_type or 'none'}; send JSON and say so"
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, told)


def invalid_body(error: ValidationError) -> RequestValidationError:
    """Return the error of a body as one of FastAPI's, which is answered field by field.

    Raises:
        Refused: so many fields are wrong that naming them would hold up everybody else.
    """
    if error.error_count() > MOST_ERRORS:
        told = f"{error.error_count():,} fields are not as expected; see /openapi.json"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, told)
    return RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)])
