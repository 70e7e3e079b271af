"""Confluent's registry interface over the file registry: the part that serializers and deserializers use."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from schemas.compatibility import InvalidSchema, backward_faults, parsed
from schemas.definitions import AvroSchema
from schemas.errors import IncompatibleSchema, UnknownSchema
from schemas.registries.file_registry import FileRegistry

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
COMPATIBILITY = "BACKWARD"
MAX_BODY_BYTES = 2**20

SUBJECT_NOT_FOUND = 40401
VERSION_NOT_FOUND = 40402
SCHEMA_NOT_FOUND = 40403
INCOMPATIBLE = 409
INVALID_SCHEMA = 42201
INVALID_VERSION = 42202

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """An answer other than 200, with Confluent's error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def status(self) -> int:
        """Return the HTTP status: the first three digits of the code."""
        return int(str(self.code)[:3])


class RegistryApi:
    """The routes; every change goes through FileRegistry.register, which refuses what is not backward compatible."""

    def __init__(self, registry: FileRegistry) -> None:
        self._registry = registry

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(middlewares=[_errors_as_json], client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/subjects", self.subjects)
        app.router.add_post("/subjects/{subject}", self.look_up)
        app.router.add_get("/subjects/{subject}/versions", self.versions)
        app.router.add_post("/subjects/{subject}/versions", self.register)
        app.router.add_get("/subjects/{subject}/versions/{version}", self.version)
        app.router.add_get("/schemas/types", self.types)
        app.router.add_get("/schemas/ids/{id}", self.schema)
        app.router.add_get("/schemas/ids/{id}/versions", self.uses)
        app.router.add_post("/compatibility/subjects/{subject}/versions", self.compatibility)
        app.router.add_post("/compatibility/subjects/{subject}/versions/{version}", self.compatibility)
        app.router.add_get("/config", self.config)
        app.router.add_get("/config/{subject}", self.config)
        return app

    async def subjects(self, _request: web.Request) -> web.Response:
        """List all subjects."""
        return _json(self._registry.subjects())

    async def types(self, _request: web.Request) -> web.Response:
        """List the kinds of schemas that are taken."""
        return _json(["AVRO"])

    async def config(self, _request: web.Request) -> web.Response:
        """Tell the rule that new versions must keep; it can't be changed."""
        return _json({"compatibilityLevel": COMPATIBILITY})

    async def versions(self, request: web.Request) -> web.Response:
        """List the version numbers of a subject."""
        return _json([number + 1 for number in range(len(self._ids(request)))])

    async def version(self, request: web.Request) -> web.Response:
        """Return one version of a subject, by number or as `latest`."""
        number = self._number(request)
        return _json(self._described(request, self._ids(request)[number - 1]))

    async def schema(self, request: web.Request) -> web.Response:
        """Return the schema that an id names."""
        return _json({"schema": json.dumps(self._by_id(request)[1])})

    async def uses(self, request: web.Request) -> web.Response:
        """List the subjects and versions that an id stands for."""
        schema_id, _ = self._by_id(request)
        subjects = [subject for subject in self._registry.subjects() if schema_id in self._registry.ids(subject)]
        return _json(
            [{"subject": subject, "version": self._registry.ids(subject).index(schema_id) + 1} for subject in subjects]
        )

    async def look_up(self, request: web.Request) -> web.Response:
        """Return the id and version that a schema has in a subject."""
        schema = await _schema_of(request)
        self._ids(request)
        try:
            schema_id = self._registry.schema_id(request.match_info["subject"], schema)
        except UnknownSchema as error:
            raise ApiError(SCHEMA_NOT_FOUND, str(error)) from error
        return _json(self._described(request, schema_id))

    async def register(self, request: web.Request) -> web.Response:
        """Add a version to a subject; the same schema keeps its id."""
        schema = await _schema_of(request)
        try:
            schema_id = self._registry.register(request.match_info["subject"], schema)
        except IncompatibleSchema as error:
            raise ApiError(INCOMPATIBLE, str(error)) from error
        return _json({"id": schema_id})

    async def compatibility(self, request: web.Request) -> web.Response:
        """Tell whether a schema can read what a version of a subject wrote (all versions where none is named)."""
        schema = await _schema_of(request)
        ids = self._ids(request)
        if "version" in request.match_info:
            ids = [ids[self._number(request) - 1]]
        messages = [
            fault for each in ids for fault in backward_faults(schema, self._registry.writer_schema(each).schema)
        ]
        return _json({"is_compatible": not messages, "messages": messages})

    def _ids(self, request: web.Request) -> list[int]:
        subject = request.match_info["subject"]
        ids = self._registry.ids(subject)
        if not ids:
            raise ApiError(SUBJECT_NOT_FOUND, f"Subject '{subject}' not found.")
        return ids

    def _number(self, request: web.Request) -> int:
        text, count = request.match_info["version"], len(self._ids(request))
        if text in ("latest", "-1"):
            return count
        if not text.isdecimal() or int(text) < 1:
            raise ApiError(INVALID_VERSION, f"expected a version number from 1 or `latest`, got '{text}'")
        if int(text) > count:
            raise ApiError(VERSION_NOT_FOUND, f"Version {text} not found; there are {count}.")
        return int(text)

    def _by_id(self, request: web.Request) -> tuple[int, AvroSchema]:
        text = request.match_info["id"]
        try:
            return int(text), self._registry.writer_schema(int(text)).schema
        except (ValueError, UnknownSchema) as error:
            raise ApiError(SCHEMA_NOT_FOUND, f"Schema {text} not found") from error

    def _described(self, request: web.Request, schema_id: int) -> dict[str, Any]:
        subject = request.match_info["subject"]
        schema = self._registry.writer_schema(schema_id).schema
        version = self._registry.ids(subject).index(schema_id) + 1
        return {"subject": subject, "id": schema_id, "version": version, "schema": json.dumps(schema)}


async def _schema_of(request: web.Request) -> AvroSchema:
    try:
        body = await request.json()
        schema = json.loads(body["schema"])
        if body.get("schemaType", "AVRO") != "AVRO" or body.get("references"):
            raise ApiError(INVALID_SCHEMA, "expected a schema of type AVRO without references")
        if not isinstance(schema, dict):
            raise ApiError(INVALID_SCHEMA, f"expected the schema of a record, got {body['schema'][:80]}")
        parsed(schema)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ApiError(INVALID_SCHEMA, f'expected {{"schema": "<Avro schema as JSON text>"}}: {error!r}') from error
    except InvalidSchema as error:
        raise ApiError(INVALID_SCHEMA, str(error)) from error
    return schema


def _json(content: object, status: int = 200) -> web.Response:
    return web.json_response(content, status=status, content_type=CONTENT_TYPE)


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return _json({"error_code": error.code, "message": str(error)}, error.status)
    except web.HTTPException as error:
        return _json({"error_code": error.status, "message": error.reason}, error.status)
