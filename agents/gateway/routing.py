"""Routing: every route asks who calls, by the table in access.py, before anything of the body is read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.gateway.access import Rule, rule_of
from agents.gateway.audit import TOPIC as AUDIT_TOPIC
from agents.gateway.audit import audit_record
from agents.gateway.auth.caller import Caller
from agents.gateway.auth.sign_in import SAFE_METHODS
from agents.gateway.problems import MEDIA_TYPE, FieldProblem, Problem, Refused, problem_response, refusal_of
from agents.gateway.state import Gateway
from streams.engine.stage import Output

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
DETAILS, TOLD = "audit_details", "audit_told"
DRY_RUN = "dry_run"
DryRun = Annotated[bool, Query(description="Check everything and change nothing.")]
"""Parameter of a route that writes."""
DRY_RUN_PARAMETER: Mapping[str, Any] = {
    "in": "query",
    "name": DRY_RUN,
    "required": False,
    "schema": {"type": "boolean", "default": False},
    "description": "Check everything and change nothing.",
}
"""The same for a route that reads its parameters itself, with `is_dry_run`."""
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class GuardedRoute(APIRoute):
    """A route that its rule guards, that is measured by its template, and whose writes are in the audit log.

    Raises LookupError where the table of rules does not have it.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        [self._method] = options.get("methods") or ["GET"]
        self._rule = rule_of(self._method, path)
        options["responses"] = {**_refusals(self._rule, self._method), **(options.get("responses") or {})}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        """Return the handler, guarded."""
        handle, rule, template = super().get_route_handler(), self._rule, self.path_format
        is_write = self._method not in SAFE_METHODS

        async def guarded(request: Request) -> Response:
            request.scope["state"]["template"] = template
            if rule.role is None:
                return await handle(request)
            gateway: Gateway = request.app.state.gateway
            caller = await _known(gateway, request)
            if is_write:
                return await _audited(gateway, caller, request, template, _allowed(handle, rule, caller))
            return await _allowed(handle, rule, caller)(request)

        return guarded


class GuardedEndpoint(Route):
    """An ASGI app at one path, for any method, guarded by the rule of ("*", path).

    The caller is in scope["state"]["caller"]. What the app writes it has to tell the audit log itself.

    Raises LookupError where the table of rules does not have it.
    """

    def __init__(self, path: str, app: ASGIApp) -> None:
        super().__init__(path, _GuardedApp(path, app), include_in_schema=False)


class _GuardedApp:
    def __init__(self, path: str, app: ASGIApp) -> None:
        self._path, self._app, self._rule = path, app, rule_of("*", path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        scope["state"]["template"] = self._path
        if self._rule.role is not None:
            caller = await _known(scope["app"].state.gateway, request)
            require_access(self._rule, caller, scope["path"])
            scope["state"]["caller"] = caller
        await self._app(scope, receive, send)


def router(tag: str) -> APIRouter:
    """Return a router whose routes are guarded; each names its whole path, such as /v1/drafts/{draft_id}."""
    return APIRouter(route_class=GuardedRoute, tags=[tag])


def is_dry_run(request: Request) -> bool:
    """Tell whether a request is to change nothing.

    Raises:
        Refused: it says neither true nor false.
    """
    said = request.query_params.get(DRY_RUN, "false")
    if said.lower() not in _TRUTH:
        told = f"{DRY_RUN}: expected true or false, got {said[:20]!r}"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, told, errors=[FieldProblem(pointer=DRY_RUN, detail=told)])
    return _TRUTH[said.lower()]


def tell_audit(request: Request, details: str) -> None:
    """Say of a write what its path does not: it stands in the audit log."""
    request.scope["state"][DETAILS] = details


def audited(request: Request, status: int, details: str) -> Output:
    """Return the record of the audit log of a write, for a route that appends it together with what it writes.

    Where that append fails, the write is told by its answer as any other.
    """
    state = request.scope["state"]
    state[TOLD] = status
    return Output(AUDIT_TOPIC, audit_record(request, state["template"], state["caller"], status, details))


def require_access(rule: Rule, caller: Caller, path: str) -> None:
    """See that a caller may use a route.

    Raises:
        Refused: the role, the tenant or the scopes of the caller do not allow it.
    """
    if rule.role is not None and not caller.may(rule.role):
        raise _forbidden(f"it needs the role {rule.role}, and this token has {caller.role}")
    if rule.tenants == "platform" and not caller.owns("*"):
        raise _forbidden("it shows what belongs to all tenants, and this token is of one")
    if not caller.is_in_scope(path):
        raise _forbidden(f"the token is good for {', '.join(caller.scopes)} alone")


def _allowed(handle: Handler, rule: Rule, caller: Caller) -> Handler:
    async def allowed(request: Request) -> Response:
        require_access(rule, caller, request.scope["path"])
        request.scope["state"]["caller"] = caller
        return await handle(request)

    return allowed


async def _known(gateway: Gateway, request: Request) -> Caller:
    """Return who asks, and count that it does."""
    caller = await gateway.sign_in.caller_of(request)
    await gateway.rates.count_token(caller.rated_as)
    return caller


def _forbidden(why: str) -> Refused:
    return Refused(HTTPStatus.FORBIDDEN, f"{why}; ask an admin for another token")


async def _audited(gateway: Gateway, caller: Caller, request: Request, template: str, handle: Handler) -> Response:
    """Handle a write; its record is durable before the answer that it was done is sent."""
    try:
        response = await handle(request)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told and answered
        response = problem_response(request, refusal_of(error))
    state = request.scope["state"]
    if state.get(TOLD) == response.status_code:
        return response
    record = audit_record(request, template, caller, response.status_code, state.get(DETAILS))
    if response.status_code < HTTPStatus.BAD_REQUEST:
        await gateway.audit.told(record)
    else:
        gateway.audit.note(record)
    return response


def _refusals(rule: Rule, method: str) -> dict[int | str, dict[str, Any]]:
    """Return the problems that any route of a rule may answer with."""
    statuses = (
        [400, 404, 409, 413, 415, 422, 429, 431, 503] if method not in SAFE_METHODS else [400, 404, 422, 429, 431, 503]
    )
    return problems(*sorted(statuses if rule.is_public else [*statuses, 401, 403]))


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what is documented of answers that are problems."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


assert Problem.__name__ == "Problem"  # the name in the reference above
