"""Health and metrics of the gateway itself."""

from __future__ import annotations

from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from agents.gateway.problems import Refused
from agents.gateway.routing import router
from agents.gateway.state import TheGateway
from streams.errors import Unavailable

ROUTER = router("health")
CHECK_TIMEOUT_S = 2.0


class Health(BaseModel):
    """Whether the gateway is there."""

    status: str


@ROUTER.get("/livez", summary="Tell that the process answers")
async def livez() -> Health:
    return Health(status="alive")


@ROUTER.get("/readyz", summary="Tell whether requests can be served: Kafka answers")
async def readyz(gateway: TheGateway) -> Health:
    try:
        await gateway.cluster.check(CHECK_TIMEOUT_S)
    except Unavailable as error:
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE, "Kafka does not answer; requests are refused until it does"
        ) from error
    return Health(status="ready")


@ROUTER.get(
    "/metrics",
    summary="Show the gateway's series",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
