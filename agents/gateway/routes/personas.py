"""Personas: read, check, apply and remove; a definition is held to what the YAML files are held to."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from agents.gateway.auth.caller import ALL_TENANTS, Caller
from agents.gateway.parameters import USUAL_ITEMS, Cursor, Found, Limit, Page, PathId, example, page_of, place_of
from agents.gateway.problems import FieldProblem, Refused, not_found
from agents.gateway.routing import DryRun, router, tell_audit
from agents.gateway.state import Gateway, TheCaller, TheGateway
from agents.personas.directory import AppliedPersona
from agents.personas.persona import DEFAULT_TENANT, Persona
from agents.personas.persona_file import field_problems
from agents.personas.persona_topic import PARTITION, TOPIC, persona_applied
from agents.personas.strict_yaml import read_strict
from streams.engine.stage import Output
from streams.wall_clock import utc_now

ROUTER = router("personas")
JSON_TYPE = "application/json"
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
MOST_SHOWN = 100  # problems in one answer
MOST_NAMED = 1_000  # of one persona: more would take seconds, in which nobody else is served


class PersonaShown(BaseModel):
    """A persona in force, as `threads-agent personas list --json` shows it; agents/personas has all fields."""

    model_config = ConfigDict(extra="allow")

    persona_id: str
    version: str = Field(description="Follows from the content.")
    name: str
    languages: list[str]


class PersonaInForce(BaseModel):
    """A persona in force."""

    persona_id: str
    version: str
    definition: dict[str, Any] = Field(description="All fields, defaults written out; what PUT takes.")


class PersonaPut(PersonaInForce):
    """What came of applying a persona: `applied` is false where it was in force already, and in a dry run."""

    changed: bool = Field(description="Whether it differs from what was in force.")
    applied: bool


class PersonaName(BaseModel):
    """A persona by its id, with the version that its content makes."""

    persona_id: str
    version: str


class Checked(BaseModel):
    """What was found in definitions: every problem with its path, or the personas that they make."""

    valid: bool
    personas: list[PersonaName]
    problems: list[FieldProblem]


DEFINITION_EXAMPLE: Found = {
    "persona_id": "night-shift-nora",
    "name": "Nora",
    "voice": "dry, kind",
    "audience": "nurses on nights",
    "topics": ["napping before a night shift"],
    "languages": ["en"],
    "hook_styles": ["question"],
    "examples": [{"brief": "naps", "hook": "Slept at noon?", "body": "Twenty minutes is enough."}],
}
YAML_EXAMPLE = yaml.safe_dump(DEFINITION_EXAMPLE, sort_keys=False)
IN_FORCE_EXAMPLE: Found = {
    "persona_id": "night-shift-nora",
    "version": "0f8f6d0e5a0b5c58",
    "definition": DEFINITION_EXAMPLE,
}
BODY: Found = {
    "requestBody": {
        "required": True,
        "description": "One persona as JSON or YAML, with the fields of the files in agents/personas/samples.",
        "content": {
            JSON_TYPE: {"schema": {"type": "object"}, "example": DEFINITION_EXAMPLE},
            **{each: {"schema": {"type": "string"}, "example": YAML_EXAMPLE} for each in YAML_TYPES},
        },
    }
}


@ROUTER.get(
    "/v1/personas",
    summary="List the personas in force, by id",
    responses=example(
        200, {"items": [{**DEFINITION_EXAMPLE, "version": IN_FORCE_EXAMPLE["version"]}], "next_cursor": None}
    ),
)
async def list_personas(
    gateway: TheGateway, caller: TheCaller, limit: Limit = USUAL_ITEMS, cursor: Cursor = None
) -> Page[PersonaShown]:
    place = place_of(cursor, str)
    seen = [each for each in gateway.personas.seen_by(caller) if place is None or each.persona.persona_id > place[0]]
    rows = [{"version": each.version, **each.persona.model_dump(mode="json")} for each in seen[: limit + 1]]
    found: Page[PersonaShown] = page_of(rows, limit, lambda item: [item["persona_id"]])
    return found


@ROUTER.post(
    "/v1/personas/check",
    summary="Check definitions of personas, and change nothing",
    openapi_extra=BODY,
    responses=example(
        200,
        {"valid": False, "personas": [], "problems": [{"pointer": "/voice", "detail": "voice: is missing; add it"}]},
    ),
)
async def check(request: Request, caller: TheCaller) -> Checked:
    """One persona, or an object with a list `personas` as the YAML files have; every problem with its path."""
    content, problems = await _content(request)
    entries = content.get("personas") if isinstance(content, dict) and "personas" in content else None
    listed = isinstance(entries, list)
    found: list[PersonaName] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else [content]):
        persona, wrong = _persona(_with_tenant(entry, caller), ("personas", index) if listed else ())
        problems += wrong
        if len(problems) > MOST_SHOWN:
            break
        if persona is not None:
            found.append(PersonaName(persona_id=persona.persona_id, version=persona.version()))
    return Checked(valid=not problems, personas=found if not problems else [], problems=problems[:MOST_SHOWN])


@ROUTER.get("/v1/personas/{persona_id}", summary="Show a persona in force", responses=example(200, IN_FORCE_EXAMPLE))
async def one_persona(persona_id: PathId, gateway: TheGateway, caller: TheCaller) -> PersonaInForce:
    applied = await gateway.personas.require(caller, persona_id)
    return PersonaInForce.model_validate(_in_force(applied.persona, applied.version))


@ROUTER.put(
    "/v1/personas/{persona_id}",
    summary="Put a persona in force",
    openapi_extra=BODY,
    responses=example(200, {**IN_FORCE_EXAMPLE, "changed": True, "applied": True}),
)
async def put_persona(
    persona_id: PathId,
    request: Request,
    gateway: TheGateway,
    caller: TheCaller,
    *,
    dry_run: DryRun = False,
) -> PersonaPut:
    """Answered once Kafka has it; 422 names every problem with its path. It is of the caller's tenant."""
    before = await _standing(gateway, caller, persona_id)
    persona = await _given(request, caller, persona_id, before)
    changed = before is None or before.version != persona.version()
    if changed and not dry_run:
        await gateway.appender.append([Output(TOPIC.name, persona_applied(persona, utc_now()))])
        await gateway.personas.directory.refresh()
    tell_audit(request, f"version {persona.version()}{', dry run' if dry_run else '' if changed else ', unchanged'}")
    outcome = {"changed": changed, "applied": changed and not dry_run}
    return PersonaPut.model_validate(_in_force(persona, persona.version()) | outcome)


@ROUTER.delete("/v1/personas/{persona_id}", status_code=204, summary="Put a persona out of force")
async def delete_persona(
    persona_id: PathId, request: Request, gateway: TheGateway, caller: TheCaller, *, dry_run: DryRun = False
) -> Response:
    """Answer once Kafka has it; requests that come later are dead-lettered. What it wrote stays."""
    await gateway.personas.require(caller, persona_id)
    if dry_run:
        tell_audit(request, "dry run")
    else:
        await gateway.producer.append_raw(TOPIC.name, PARTITION, [(persona_id.encode(), None)])
        await gateway.personas.directory.refresh()
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _in_force(persona: Persona, version: str) -> Found:
    definition = persona.model_dump(mode="json")
    return {"persona_id": persona.persona_id, "version": version, "definition": definition}


async def _standing(gateway: Gateway, caller: Caller, persona_id: str) -> AppliedPersona | None:
    """Return the persona in force; an id that is another tenant's can't be taken."""
    await gateway.personas.directory.refresh(max_age_s=0)
    found = gateway.personas.directory.find(persona_id)
    if found is not None and not caller.owns(found.persona.tenant):
        raise not_found("persona", persona_id, "/v1/personas")
    return found


async def _given(request: Request, caller: Caller, persona_id: str, before: AppliedPersona | None) -> Persona:
    content, problems = await _content(request)
    if isinstance(content, dict):
        content.setdefault("persona_id", persona_id)
        if before is not None:
            content.setdefault("tenant", before.persona.tenant)
    persona, wrong = _persona(_with_tenant(content, caller), ())
    problems += wrong
    if persona is not None and persona.persona_id != persona_id:
        detail = f"persona_id: the path says {persona_id}; leave it out here, or say the same"
        problems.append(FieldProblem(pointer="/persona_id", detail=detail))
    if persona is not None and not caller.owns(persona.tenant):
        detail = f"tenant: this token is of {caller.tenant}; leave the tenant out, or say the same"
        problems.append(FieldProblem(pointer="/tenant", detail=detail))
    if problems or persona is None:
        raise _refused(problems)
    return persona


def _with_tenant(content: object, caller: Caller) -> object:
    """Return a definition of which a tenant says nothing as one of the caller's."""
    if isinstance(content, dict) and "tenant" not in content:
        return {**content, "tenant": DEFAULT_TENANT if caller.tenant == ALL_TENANTS else caller.tenant}
    return content


def _refused(problems: Sequence[FieldProblem]) -> Refused:
    more = f" (and {len(problems) - 1} more in `errors`)" if len(problems) > 1 else ""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{problems[0].detail}{more}", errors=problems[:MOST_SHOWN])


def _persona(content: object, within: tuple[str | int, ...]) -> tuple[Persona | None, list[FieldProblem]]:
    try:
        return Persona.model_validate(content), []
    except ValidationError as error:
        if error.error_count() > MOST_NAMED:
            told = f"{error.error_count():,} fields are not as expected; see agents/personas/samples"
            return None, [FieldProblem(pointer=_pointer(within), detail=told)]
        found = field_problems(error)
        return None, [FieldProblem(pointer=_pointer((*within, *each.path)), detail=each.line) for each in found]


def _pointer(path: Sequence[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


async def _content(request: Request) -> tuple[Any, list[FieldProblem]]:
    """Return what a body says, and its keys that stand twice.

    Raises:
        Refused: it is neither JSON nor YAML, or not of the kind that its Content-Type says.
    """
    kind = request.headers.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()
    if kind != JSON_TYPE and kind not in YAML_TYPES:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected a persona as {JSON_TYPE} or {YAML_TYPES[0]}, got {kind[:100]}; say so in Content-Type",
        )
    body = await request.body()
    try:
        text = body.decode("utf-8-sig")
        return _json(text) if kind == JSON_TYPE else await asyncio.to_thread(_yaml, text)  # YAML takes its time
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())[:300]
        raise Refused(
            HTTPStatus.BAD_REQUEST, f"the body can't be read as {kind} in UTF-8: {said}; correct it and send it again"
        ) from error


def _json(text: str) -> tuple[Any, list[FieldProblem]]:
    repeated: list[FieldProblem] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            names = sorted(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
            repeated.extend(FieldProblem(pointer="", detail=f"{name[:60]!r} stands twice; keep one") for name in names)
        return content

    return json.loads(text, object_pairs_hook=once), repeated


def _yaml(text: str) -> tuple[Any, list[FieldProblem]]:
    document = read_strict(text)
    repeated = [FieldProblem(pointer="", detail=f"{each}; keep one") for each in document.repeated_keys]
    return document.content, repeated
