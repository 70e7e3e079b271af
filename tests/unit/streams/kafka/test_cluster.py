"""The handle of a cluster: where its address comes from, and what an exchange with it makes of errors and silence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, NodeNotReadyError, RequestTimedOutError

from streams.endpoints import Endpoints, write_endpoints
from streams.errors import RecordFault, SettingsError, Unavailable
from streams.kafka.cluster import Cluster
from streams.settings import Settings

CLUSTER = Cluster("broker:9092", Settings(io_timeout_s=0.1))


def test_the_configured_cluster_wins_over_the_embedded_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="THREADS_KAFKA"):
        Cluster.of(Settings(home=tmp_path))
    write_endpoints(tmp_path, Endpoints(kafka="embedded:9092"))
    assert Cluster.of(Settings(home=tmp_path)).bootstrap == "embedded:9092"
    assert Cluster.of(Settings(home=tmp_path, kafka="a:1,b:2")).bootstrap == "a:1,b:2"


def test_clients_wait_as_long_as_the_settings_say() -> None:
    options = CLUSTER.client_options("a-client")
    assert (options["bootstrap_servers"], options["client_id"]) == ("broker:9092", "a-client")
    assert options["request_timeout_ms"] == 100


@pytest.mark.parametrize("timeout_s", [None, 0.01])
async def test_a_silent_broker_is_unavailable(timeout_s: float | None) -> None:
    with pytest.raises(Unavailable, match=r"Kafka at broker:9092 does not answer while asking"):
        async with CLUSTER.exchange("asking", timeout_s):
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    "error", [NodeNotReadyError(), RequestTimedOutError(), ConnectionResetError("reset"), KafkaError()]
)
async def test_errors_of_the_client_are_a_cluster_to_wait_for(error: Exception) -> None:
    with pytest.raises(Unavailable, match=r"Kafka at broker:9092 .* while asking") as raised:
        async with CLUSTER.exchange("asking"):
            raise error
    assert raised.value.__cause__ is error


async def test_a_record_that_is_too_large_is_a_fault_of_its_own() -> None:
    with pytest.raises(RecordFault, match="too large while appending"):
        async with CLUSTER.exchange("appending"):
            raise MessageSizeTooLargeError


@pytest.mark.parametrize("error", [KeyError("k"), Unavailable("told already"), asyncio.CancelledError()])
async def test_other_errors_and_a_cancellation_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised:
        async with CLUSTER.exchange("asking"):
            raise error
    assert raised.value is error
