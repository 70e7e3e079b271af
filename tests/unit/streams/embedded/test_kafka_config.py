"""Kafka's configuration and jars."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from streams.embedded.kafka import Node, Voter, new_cluster_id, render_properties
from streams.embedded.kafka_jars import JarsUnusable, expected_digests, verify


def properties(node: Node) -> dict[str, str]:
    return dict(line.split("=", 1) for line in render_properties(node).splitlines())


def test_the_first_node_is_broker_and_controller_on_loopback_only() -> None:
    rendered = properties(Node(port=20_001, controller_port=20_002))
    assert rendered["process.roles"] == "broker,controller"
    assert rendered["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert rendered["controller.quorum.bootstrap.servers"] == "127.0.0.1:20002"
    assert rendered["auto.create.topics.enable"] == "false"


def test_further_nodes_are_brokers_that_join_the_first_ones_controller() -> None:
    rendered = properties(Node(port=20_003, controller_port=20_002, node_id=2, is_controller=False, replicas=3))
    assert rendered["process.roles"] == "broker"
    assert rendered["listeners"] == "PLAINTEXT://127.0.0.1:20003"
    assert rendered["controller.quorum.bootstrap.servers"] == "127.0.0.1:20002"
    assert rendered["offsets.topic.replication.factor"] == "3"


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    ids = {new_cluster_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert {len(each) for each in ids} == {22}
    assert not any(each.startswith("-") for each in ids)


def test_the_committed_list_names_every_jar_once_with_a_sha256() -> None:
    digests = expected_digests()
    assert "kafka_2.13-4.4.0.jar" in digests
    assert "slf4j-simple-1.7.36.jar" in digests
    assert all(len(digest) == 64 for digest in digests.values())


@pytest.mark.parametrize(
    ("present", "named"),
    [({}, "a.jar"), ({"a.jar": b"changed"}, "a.jar"), ({"a.jar": b"good", "b.jar": b"new"}, "b.jar")],
    ids=["missing", "changed", "unexpected"],
)
def test_a_jar_that_is_not_the_listed_one_is_refused_by_name(
    tmp_path: Path, present: dict[str, bytes], named: str
) -> None:
    for name, content in present.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(JarsUnusable, match=named):
        verify(tmp_path, {"a.jar": hashlib.sha256(b"good").hexdigest()})


def test_exactly_the_listed_jars_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "a.jar").write_bytes(b"good")
    verify(tmp_path, {"a.jar": hashlib.sha256(b"good").hexdigest()})


def test_each_of_a_quorum_of_controllers_knows_all_of_them() -> None:
    voters = tuple(Voter(number, 20_010 + number, new_cluster_id()) for number in (1, 2, 3))
    node = Node(port=20_003, controller_port=20_012, node_id=2, replicas=3, voters=voters)
    rendered = properties(node)
    assert rendered["process.roles"] == "broker,controller"
    assert rendered["controller.quorum.bootstrap.servers"] == "127.0.0.1:20011,127.0.0.1:20012,127.0.0.1:20013"
    option, listed = node.format_options
    assert option == "--initial-controllers"
    assert listed.split(",")[1] == f"2@127.0.0.1:20012:{voters[1].directory_id}"
