"""The whole stack from one command, with its own broker and a worker; and a cluster of three brokers."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.catalogue import CATALOGUE
from streams.embedded.kafka import KafkaServer, Node, new_cluster_id
from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.endpoints import read_endpoints
from tests.conftest import CACHE
from tests.support.operator_home import Home, eventually


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="threads whole ", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        home = Home(Path(folder))
        yield home
        home.run("down")


async def topic_names(bootstrap: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def test_one_command_starts_everything_and_the_killed_come_back(home: Home) -> None:
    done = home.run("up", "--detach", "--role", "kpis")
    assert done.returncode == 0, done.stdout + done.stderr
    before = home.status()
    assert set(before) >= {"kafka", "postgres", "schemas", "llm", "kpis"}
    assert before["kpis"]["kind"] == "worker"
    bootstrap = read_endpoints(home.folder).kafka
    assert bootstrap is not None
    assert bootstrap == before["kafka"]["address"]
    names = await topic_names(bootstrap)
    assert names >= {topic.name for topic in CATALOGUE}

    killed = {role: home.pid(role) for role in ("kafka", "kpis")}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)

    def all_new_and_running() -> bool:
        now = home.status()
        is_new = all(now[role]["pid"] not in (None, pid) for role, pid in killed.items())
        return is_new and {entry["state"] for entry in now.values()} == {"running"}

    assert eventually(all_new_and_running, deadline_s=60)
    assert await topic_names(bootstrap) >= names
    assert home.run("down").returncode == 0
    assert home.run("status").returncode == 1


async def test_three_nodes_form_one_cluster(tmp_path: Path) -> None:
    cluster_id, controller_port = new_cluster_id(), free_port()
    with ExitStack() as cleanup:
        for number in (1, 2, 3):
            node = Node(free_port(), controller_port, number, is_controller=number == 1, replicas=3)
            server = KafkaServer(tmp_path / f"node {number}", CACHE / "jars", node, cluster_id)
            process = run_server(server, tmp_path / f"logs {number}")
            cleanup.callback(stop, process, server.launch().stop_signal)
        admin = AIOKafkaAdminClient(bootstrap_servers=server.address)
        await admin.start()
        answer = await admin.create_topics([NewTopic("replicated", 1, 3)])
        await admin.close()
    assert [error for _, error, *_ in answer.topic_errors] == [0]
