"""The peer: FastAPI and aiokafka as one writes them by hand, acknowledged by all replicas, nothing checked.

No sign-in, tenants, limits, audit, metrics, idempotency keys or problem details: the least
there can be.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import fastavro
import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from pydantic import BaseModel, Field

from schemas.catalogue import topic_named
from schemas.definitions import definition

TOPIC = topic_named("persona.requests")
SCHEMA = fastavro.parse_schema(definition(TOPIC.record.__name__))


class RequestBody(BaseModel):
    """What a persona is asked for."""

    persona_id: str = Field(min_length=1, max_length=64)
    brief: str = Field(min_length=1, max_length=4_000)
    language: str | None = None
    draft_count: int = 1
    trend: str | None = None
    deadline: str = "now"


class Accepted(BaseModel):
    """A request that Kafka has."""

    request_id: str
    status: str = "accepted"


def make_app(bootstrap: str) -> FastAPI:
    """Make the app; its producer lives as long."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
        await app.state.producer.start()
        yield
        await app.state.producer.stop()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/requests", status_code=202)
    async def post_requests(body: RequestBody) -> Accepted:
        record: dict[str, Any] = {"event_id": str(uuid.uuid4()), "occurred_at": datetime.now(UTC), **body.model_dump()}
        value = io.BytesIO()
        value.write(b"\x00\x00\x00\x00\x01")
        fastavro.schemaless_writer(value, SCHEMA, record)
        await app.state.producer.send_and_wait(TOPIC.name, value.getvalue(), key=body.persona_id.encode())
        return Accepted(request_id=record["event_id"])

    return app


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    uvicorn.run(
        make_app(arguments.bootstrap), host="127.0.0.1", port=arguments.port, http="httptools", access_log=False
    )


if __name__ == "__main__":
    main()
