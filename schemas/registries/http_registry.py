"""A client of a Confluent-compatible schema registry."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from schemas.definitions import AvroSchema
from schemas.errors import IncompatibleSchema, UnknownSchema, UnusableSchema
from schemas.registries.connection import Answer, RegistryConnection
from schemas.registries.registry import RegisteredSchema

TIMEOUT_S = 5.0
AVRO = "AVRO"
MAX_REFERENCES = 100
SHOWN_LENGTH = 80

_NOT_THERE = frozenset((40401, 40402, 40403))  # Confluent's codes: no such subject, version, schema


class HttpRegistry:
    """Look up and register schemas by HTTP. Calls are synchronous, each request waits TIMEOUT_S for an answer."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._connection = RegistryConnection(url, timeout_s)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def schema_id(self, subject: str, schema: AvroSchema) -> int:
        """Return the id that `schema` has in the subject; see SchemaRegistry."""
        url = self._connection.shown_url
        answer = self._connection.ask("POST", f"/subjects/{quote(subject, safe='')}", {"schema": json.dumps(schema)})
        if answer.status == HTTPStatus.NOT_FOUND:
            self._check_it_says_no(answer)
            raise UnknownSchema(
                f"The registry at {url} has no version of subject {subject} equal to this schema of "
                f"{schema.get('name')!r}; run `threads-agent schemas register --url {url}`"
            )
        return self._id(answer)

    def writer_schema(self, schema_id: int) -> RegisteredSchema:
        """Return the schema that an id names, also that of a version that was (softly) deleted; see SchemaRegistry."""
        answer = self._connection.ask("GET", f"/schemas/ids/{schema_id}")
        if not answer.is_ok:
            self._check_it_says_no(answer)
            raise UnknownSchema(f"The registry at {self._connection.shown_url} has no schema id {schema_id}")
        schema = self._schema(answer)
        references = self._references(answer.content, set())
        subjects = self._subjects(schema_id)
        return RegisteredSchema(schema_id, subjects, schema, tuple(references), subjects_told=bool(subjects))

    def register(self, subject: str, schema: AvroSchema) -> int:
        """Add `schema` as the newest version of the subject and return its id; a known schema keeps its id.

        Raises:
            IncompatibleSchema: the registry refuses it; the reasons are its own.
            RegistryUnavailable: the registry does not answer.
        """
        path = f"/subjects/{quote(subject, safe='')}/versions"
        answer = self._connection.ask("POST", path, {"schema": json.dumps(schema)})
        if answer.status == HTTPStatus.CONFLICT:
            content = answer.content if isinstance(answer.content, dict) else {}
            raise IncompatibleSchema(subject, [str(content.get("message", answer.text))])
        return self._id(answer)

    def _check_it_says_no(self, answer: Answer) -> None:
        """Make sure that it is a registry who lacks what was asked for: a wrong address has nothing either.

        Registries have several ways to say so, and some say it as any server does; that one has no /config.

        Raises:
            RegistryUnavailable: no registry speaks, or it gives no access; what was asked for may be there.
        """
        if answer.error_code in _NOT_THERE:
            return
        if not answer.is_refusal or answer.gives_no_access:
            raise self._connection.unexpected(answer)
        config = self._connection.ask("GET", "/config")
        if not (config.is_ok and isinstance(config.content, dict)):
            raise self._connection.unexpected(answer)

    def _id(self, answer: Answer) -> int:
        content = answer.content
        if not (answer.is_ok and isinstance(content, dict) and isinstance(content.get("id"), int)):
            raise self._connection.unexpected(answer)
        return int(content["id"])

    def _schema(self, answer: Answer) -> Any:  # noqa: ANN401 - Avro schemas are str, list or dict
        """Return the Avro schema of an answer as JSON.

        Raises:
            UnusableSchema: it is of another type, or its text is no JSON.
            RegistryUnavailable: it is no registry's answer.
        """
        content = answer.content
        if not (answer.is_ok and isinstance(content, dict) and isinstance(content.get("schema"), str)):
            raise self._connection.unexpected(answer)
        kind = content.get("schemaType") or AVRO
        if str(kind).upper() != AVRO:
            raise UnusableSchema(f"is a schema of type {kind}: records are read in Avro only")
        try:
            return json.loads(content["schema"])
        except (ValueError, RecursionError) as error:
            raise UnusableSchema(f"is no Avro schema: {content['schema'][:SHOWN_LENGTH]!r} ({error})") from error

    def _references(self, content: dict[str, Any], known: set[tuple[str, str]]) -> list[Any]:
        """Return the schemas that one refers to, each behind those it refers to itself."""
        found: list[Any] = []
        for subject, version in _places(content):
            if (subject, version) in known:
                continue
            known.add((subject, version))
            if len(known) > MAX_REFERENCES:
                raise UnusableSchema(f"refers to more than {MAX_REFERENCES} other schemas")
            path = f"/subjects/{quote(subject, safe='')}/versions/{quote(version, safe='')}?deleted=true"
            answer = self._connection.ask("GET", path)
            if not answer.is_ok:
                self._check_it_says_no(answer)
                raise UnusableSchema(f"refers to version {version} of {subject}, which the registry does not have")
            schema = self._schema(answer)
            found += [*self._references(answer.content, known), schema]
        return found

    def _subjects(self, schema_id: int) -> frozenset[str]:
        """Return the subjects of a schema, deleted versions included; empty where the registry does not tell.

        It tells nothing where it does not know of deleted versions, or lacks all of these endpoints.
        """
        for path in ("versions?deleted=true", "versions", "subjects?deleted=true"):
            answer = self._connection.ask("GET", f"/schemas/ids/{schema_id}/{path}")
            content = answer.content if answer.is_ok and isinstance(answer.content, list) else []
            subjects = [each.get("subject") if isinstance(each, dict) else each for each in content]
            told = frozenset(each for each in subjects if isinstance(each, str))
            if told:
                return told
        return frozenset()


def _places(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Return subject and version of each schema that one refers to."""
    references = content.get("references") or []
    try:
        return [(str(each["subject"]), str(each["version"])) for each in references]
    except (TypeError, KeyError) as error:
        raise UnusableSchema(f"has references that name no subject and version: {references!r:.80}") from error
