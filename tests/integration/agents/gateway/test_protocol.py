"""HTTP in bounds, on a real socket: what is too long, too slow or never read ends, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
import uvicorn
from fastapi import FastAPI, Request
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.responses import Response

from agents.gateway.problems import Problem
from agents.gateway.protocol import MOST_HEAD_BYTES, MOST_HEADERS, BoundedProtocol
from streams.embedded.ports import free_port
from tests.support.http_bytes import RawAnswer, RawClient, get, head

BIG = 4 * 2**20
SHORT_S = 0.3


class Hasty(BoundedProtocol):
    """The same with times that a test can wait for."""

    head_timeout_s: ClassVar[float] = SHORT_S
    body_timeout_s: ClassVar[float] = SHORT_S
    stall_timeout_s: ClassVar[float] = SHORT_S


class Started(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


APP = FastAPI()


@APP.get("/big")
async def big() -> Response:
    return Response(b"x" * BIG)


@APP.post("/length")
async def length(request: Request, response: Response) -> int:
    size = len(await request.body())
    response.headers.update({name: value for name, value in request.headers.items() if name == "x-seen"})
    return size


@pytest.fixture
async def server() -> AsyncIterator[Started]:
    config = uvicorn.Config(
        APP, host="127.0.0.1", port=free_port(), http=Hasty, ws="none", lifespan="off", log_config=None,
        timeout_keep_alive=1, loop="none",
    )  # fmt: skip
    running = Started(config)
    serving = asyncio.create_task(running._serve())
    await running.listens.wait()
    yield running
    running.should_exit = True
    await serving


@pytest.fixture
def url(server: Started) -> str:
    return f"http://127.0.0.1:{server.config.port}"


async def asked(url: str, *parts: bytes) -> RawAnswer:
    async with RawClient(url) as client:
        for part in parts:
            await client.send(part)
        return await client.answer()


def problem(answer: RawAnswer) -> str:
    assert "application/problem+json" in answer.head
    assert "connection: close" in answer.head
    found = json.loads(answer.body)
    assert found["status"] == answer.status
    assert Problem.model_validate(found).instance.startswith("urn:uuid:")
    return str(found["detail"])


async def test_requests_in_one_piece_and_in_many_are_served_on_one_connection(url: str) -> None:
    async with RawClient(url) as client:
        for _ in range(3):
            await client.send(head("POST", "/length", Content_Length="5") + b"hello")
            assert (await client.answer()).body == b"5"
        for byte in head("POST", "/length", Content_Length="3") + b"abc":
            await client.send(bytes([byte]))
        assert (await client.answer()).body == b"3"
        await client.send(get("/length") * 2)
        assert [(await client.answer()).status for _ in range(2)] == [405, 405]


async def test_a_head_that_comes_byte_by_byte_for_ever_is_a_408(url: str) -> None:
    async with RawClient(url) as client:
        await client.send(b"GET /big HTTP/1.1\r\nX-A: ")
        dripping = asyncio.create_task(drip(client, b"a"))
        answer = await client.answer()
        dripping.cancel()
        assert (answer.status, "did not come in time" in problem(answer)) == (408, True)
        await client.until_closed()


async def drip(client: RawClient, piece: bytes) -> None:
    while True:
        await client.send(piece)
        await asyncio.sleep(SHORT_S / 10)


@pytest.mark.parametrize("piece", [b"\r\n", b""])
async def test_a_connection_that_asks_nothing_ends(url: str, piece: bytes) -> None:
    async with RawClient(url) as client:
        dripping = asyncio.create_task(drip(client, piece))
        await client.until_closed()
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_a_body_that_does_not_come_is_a_408(url: str) -> None:
    answer = await asked(url, head("POST", "/length", Content_Length="100"), b"only this")
    assert (answer.status, "body did not come in time" in problem(answer)) == (408, True)
    chunked = await asked(url, head("POST", "/length", Transfer_Encoding="chunked"), b"3\r\nabc\r\n")
    assert chunked.status == 408


async def test_a_head_that_is_too_large_is_a_431_however_it_comes(url: str) -> None:
    whole = get("/big", X_A="a" * (MOST_HEAD_BYTES + 1))
    assert (await asked(url, whole)).status == 431
    many = get("/big", **{f"X-{i}": "a" for i in range(MOST_HEADERS + 1)})
    assert "headers, of at most" in problem(await asked(url, many))
    assert (await asked(url, b"GET /big HTTP/1.1\r\nX-A: ", b"a" * MOST_HEAD_BYTES * 4)).status == 431
    assert (await asked(url, b"GET /" + b"a" * MOST_HEAD_BYTES * 2)).status == 431


@pytest.mark.parametrize(
    "piece", [b"0\r\nX-A: ", b"0\r\n" + b"X-A: a\r\n" * 20, b"1;", b"1\r\nx\r\n" * 99 + b"0\r\nX-A: "]
)
async def test_what_frames_a_body_is_bounded_as_its_head_is(url: str, piece: bytes) -> None:
    filling = b"a" * 1_000 + (b"" if piece.endswith((b": ", b";")) else b": a\r\n")
    async with RawClient(url) as client:
        await client.send(head("POST", "/length", Transfer_Encoding="chunked") + piece)
        sending = asyncio.create_task(endlessly(client, filling))
        answer = await client.answer()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert (answer.status, "frames its body" in problem(answer)) == (431, True)


async def endlessly(client: RawClient, piece: bytes) -> None:
    for _ in range(MOST_HEAD_BYTES):
        await client.send(piece)


async def test_a_body_of_many_small_chunks_with_trailers_is_read_and_trailers_are_no_headers(url: str) -> None:
    body = b"1;a=b\r\nx\r\n" * 30_000 + b"0\r\nX-Seen: no\r\n\r\n"
    answer = await asked(url, head("POST", "/length", Transfer_Encoding="chunked"), body)
    assert (answer.status, answer.body) == (200, b"30000")
    assert "x-seen" not in answer.head


async def test_what_can_be_read_in_two_ways_is_refused(url: str) -> None:
    both = head("POST", "/length", Transfer_Encoding="chunked", Content_Length="5") + b"0\r\n\r\n"
    hosts = b"GET /big HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
    for request in (both, hosts):
        assert (await asked(url, request)).status == 400


async def test_an_upgrade_takes_nobody_s_body_away(url: str) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "h2c"}
    for body in ({"Content_Length": "5"}, {"Transfer_Encoding": "chunked"}):
        answer = await asked(url, head("POST", "/length", **upgrade, **body), b"hello")
        assert (answer.status, "leave Upgrade out" in problem(answer)) == (400, True)
    served = await asked(url, get("/length", **upgrade))
    assert (served.status, "connection: close" in served.head) == (405, True)


async def test_a_client_that_takes_nothing_of_its_answer_is_let_go(url: str, server: Started) -> None:
    async with RawClient(url) as client:
        await client.send(get("/big"))
        await gone(server)
    assert len((await asked(url, get("/big"))).body) == BIG


async def test_a_client_that_closes_its_side_is_let_go(url: str, server: Started) -> None:
    async with RawClient(url) as client:
        await client.send(b"POST /length HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc")
        client.writer.write_eof()
        assert await client.until_closed() == b""
        await gone(server)


async def gone(server: Started) -> None:
    until = time.monotonic() + 10
    while server.server_state.connections:
        assert time.monotonic() < until, "a connection is still there"
        await asyncio.sleep(0.01)


async def test_others_are_served_while_many_are_slow(url: str) -> None:
    slow = [RawClient(url) for _ in range(100)]
    for each in slow:
        await each.__aenter__()
        await each.send(b"GET /big HTTP/1.1\r\nX-A: ")
    began = time.monotonic()
    assert (await asked(url, head("POST", "/length", Content_Length="1") + b"x")).body == b"1"
    assert time.monotonic() - began < SHORT_S
    assert {(await each.answer()).status for each in slow} == {408}
    for each in slow:
        each.writer.close()


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=300) | st.binary(max_size=80).map(lambda each: b"GET /" + each + b"\r\n\r\n"))
async def test_whatever_bytes_come_the_connection_ends_and_the_server_goes_on(url: str, data: bytes) -> None:
    async with RawClient(url) as client:
        await client.send(data)
        came = await client.until_closed()
        assert came == b"" or came.startswith(b"HTTP/1.1 4")
    assert (await asked(url, head("POST", "/length", Content_Length="1") + b"x")).body == b"1"
