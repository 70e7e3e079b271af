"""A client of a Confluent-compatible schema registry."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from schemas.definitions import AvroSchema
from schemas.errors import IncompatibleSchema, RegistryUnavailable, UnknownSchema
from schemas.registry import RegisteredSchema

TIMEOUT_S = 5.0
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class HttpRegistry:
    """Look up and register schemas by HTTP. Calls are synchronous and wait TIMEOUT_S at most."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url.rstrip("/")
        self._client = httpx.Client(
            timeout=timeout_s,
            headers={"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE},
            limits=httpx.Limits(max_keepalive_connections=0),  # asked a few times in a process: nothing to keep open
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def schema_id(self, subject: str, schema: AvroSchema) -> int:
        """Return the id that `schema` has in the subject; see SchemaRegistry."""
        answer = self._ask("POST", f"/subjects/{quote(subject, safe='')}", {"schema": json.dumps(schema)})
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise UnknownSchema(
                f"The registry at {self._url} has no version of subject {subject} equal to this schema of "
                f"{schema.get('name')!r}; run `threads-agent schemas register --url {self._url}`"
            )
        return int(self._content(answer)["id"])

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        """Return the schema that an id names; see SchemaRegistry."""
        answer = self._ask("GET", f"/schemas/ids/{schema_id}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise UnknownSchema(f"The registry at {self._url} has no schema id {schema_id}")
        versions = self._ask("GET", f"/schemas/ids/{schema_id}/versions")
        schema = json.loads(self._content(answer)["schema"])
        subjects = frozenset(str(version["subject"]) for version in self._content(versions))
        return RegisteredSchema(schema_id, subjects, schema)

    def register(self, subject: str, schema: AvroSchema) -> int:
        """Add `schema` as the newest version of the subject and return its id; a known schema keeps its id.

        Raises:
            IncompatibleSchema: the registry refuses it; the reasons are its own.
            RegistryUnavailable: the registry does not answer.
        """
        path = f"/subjects/{quote(subject, safe='')}/versions"
        answer = self._ask("POST", path, {"schema": json.dumps(schema)})
        if answer.status_code == HTTPStatus.CONFLICT:
            raise IncompatibleSchema(subject, [str(self._json(answer).get("message", answer.text))])
        return int(self._content(answer)["id"])

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> httpx.Response:
        try:
            answer = self._client.request(method, self._url + path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(
                f"The schema registry at {self._url} does not answer: {error or type(error).__name__}; "
                "is it up, and is THREADS_REGISTRY_URL right?"
            ) from error
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RegistryUnavailable(f"The schema registry at {self._url} answers {answer.status_code} to {path}")
        return answer

    def _content(self, answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
        if answer.status_code != HTTPStatus.OK:
            raise RegistryUnavailable(
                f"The schema registry at {self._url} answers {answer.status_code}: {answer.text[:200]}; "
                "expected a Confluent-compatible API there"
            )
        return self._json(answer)

    def _json(self, answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
        try:
            return answer.json()
        except ValueError as error:
            raise RegistryUnavailable(
                f"The schema registry at {self._url} answers no JSON: {answer.text[:200]}"
            ) from error
