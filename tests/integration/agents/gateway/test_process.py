"""The role as a process: it is found where it was, keeps what it acknowledged, and waits for Kafka in bounds."""

from __future__ import annotations

import asyncio
import signal
import ssl
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agents.gateway.auth.first_token import FILE_NAME
from streams.endpoints import read_endpoints
from streams.running_workers import running_workers
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.gateway import persona_named, put_in_force
from tests.support.operator_home import Home

WAIT_S = 2.0


@pytest.fixture(scope="module")
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


async def client_of(home: Path, token: str) -> httpx.AsyncClient:
    url = read_endpoints(home).gateway
    assert url is not None
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


async def test_it_is_found_in_its_home_signed_in_and_after_kill_9_at_the_same_address(
    stack: Stack, spawn_worker: SpawnWorker
) -> None:
    await put_in_force(stack.settings, persona_named("front-door"))
    worker = spawn_worker("gateway", slot="0")
    await worker.until_running()
    home = Home(stack.home)
    token_file = stack.home / FILE_NAME
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    token, url = token_file.read_text().strip(), read_endpoints(stack.home).gateway
    assert home.run("open", "--print").stdout.strip() == f"{url}/#token={token}"
    assert {each.addresses.get("gateway") for each in running_workers(stack.home) if "gateway" in each.roles} == {url}
    request, key = {"persona_id": "front-door", "brief": "x"}, {"Idempotency-Key": "before the kill"}
    async with await client_of(stack.home, token) as client:
        me = (await client.get("/v1/me")).json()
        assert (me["role"], me["tenant"]) == ("admin", "*")
        before = await client.post("/v1/requests", json=request, headers=key)
        assert before.status_code == 202, before.text
    worker.restart()
    await worker.until_running()
    assert read_endpoints(stack.home).gateway == url
    async with await client_of(stack.home, token) as client:
        assert (await client.post("/v1/requests", json=request, headers=key)).json() == before.json()
    assert worker.stop() == 0
    assert read_endpoints(stack.home).gateway is None
    assert token not in worker.log()


async def test_nothing_is_accepted_before_kafka_has_it(broker: OwnBroker, tmp_path: Path) -> None:
    await put_in_force(broker.settings, persona_named("front-door"))
    worker = WorkerProcess(broker, ("gateway",), "0", tmp_path / "log", THREADS_GATEWAY_TIMEOUT_S=str(WAIT_S))
    try:
        await worker.until_running()
        made = await asyncio.to_thread(
            Home(broker.settings.home, THREADS_KAFKA=broker.bootstrap).run,
            "tokens", "create", "--name", "x", "--role", "operator",
        )  # fmt: skip
        async with await client_of(broker.settings.home, made.stdout.strip()) as client:
            request = {"persona_id": "front-door", "brief": "x"}
            assert (await client.post("/v1/requests", json=request)).status_code == 202
            broker.signal(signal.SIGSTOP)
            try:
                began = time.monotonic()
                sent = [client.post("/v1/requests", json=request) for _ in range(5)]
                answers = await asyncio.gather(*sent, client.get("/readyz"), client.get("/v1/me"), client.get("/livez"))
                took_s = time.monotonic() - began
            finally:
                broker.signal(signal.SIGCONT)
            assert [each.status_code for each in answers] == [503] * 6 + [200] * 2
            assert took_s < 3 * WAIT_S
            assert all(int(each.headers["retry-after"]) > 0 for each in answers[:5])
            assert broker.bootstrap not in answers[0].text
            key = {"Idempotency-Key": "again"}
            until = time.monotonic() + 30
            while (again := await client.post("/v1/requests", json=request, headers=key)).status_code != 202:
                assert again.status_code == 503
                assert time.monotonic() < until
    finally:
        worker.stop()


async def test_it_speaks_tls_with_the_certificate_of_the_settings_alone(broker: OwnBroker, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    variables = {"THREADS_GATEWAY_TLS_CERT": str(certificate), "THREADS_GATEWAY_TLS_KEY": str(key)}
    worker = WorkerProcess(broker, ("gateway",), "0", tmp_path / "log", **variables)
    try:
        await worker.until_running()
        url = read_endpoints(broker.settings.home).gateway
        assert url is not None
        assert url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=certificate)
        async with httpx.AsyncClient(base_url=url, verify=trusting, timeout=30) as client:
            answer = await client.get("/livez")
            assert (answer.status_code, "strict-transport-security" in answer.headers) == (200, True)
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await client.get("/livez")
        async with httpx.AsyncClient(base_url=url.replace("https", "http"), timeout=30) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/livez")
    finally:
        worker.stop()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway under test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return files


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"THREADS_GATEWAY_HOST": "192.0.2.1"}, "The gateway can't listen on 192.0.2.1"),
        ({"THREADS_GATEWAY_TLS_CERT": "/none", "THREADS_GATEWAY_TLS_KEY": "/none"}, "name PEM files of a certificate"),
        ({"THREADS_GATEWAY_TOKEN_RATE": "many"}, "expected a rate such as 1000/second"),
    ],
)
def test_a_setting_that_can_not_be_is_told_on_one_line(stack: Stack, variables: dict[str, str], told: str) -> None:
    done = Home(stack.home, **variables).run("worker", "gateway")
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_file_that_others_can_read_is_refused(stack: Stack, spawn_worker: SpawnWorker) -> None:
    path = stack.home / FILE_NAME
    before = path.read_text() if path.exists() else None
    path.write_text("tagw_open-to-all")
    path.chmod(0o644)
    try:
        done = Home(stack.home).run("worker", "gateway")
        assert (done.returncode, "can be read by others" in done.stderr) == (2, True)
        assert "tagw_open-to-all" not in done.stderr
    finally:
        path.unlink()
        if before is not None:
            path.touch(0o600)
            path.write_text(before)
