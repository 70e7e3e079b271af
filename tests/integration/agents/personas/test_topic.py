"""Personas on the real topic: applied once, found by running workers, and listed by the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource
from aiokafka.structs import RecordMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from agents.personas.persona import Persona
from agents.personas.persona_topic import (
    UnknownPersonaError,
    apply_personas,
    persona_directory,
    read_directory,
    remove_personas,
)
from schemas.catalogue import topic_named
from schemas.registries.registry import open_registry
from streams.errors import RecordFault
from streams.kafka.producer import EventProducer
from streams.kafka.tailed_table import REREAD_AFTER_S
from streams.kafka.topics import wanted_shape
from tests.conftest import Stack
from tests.support.drafting import NOW, samples


def own_persona(persona_id: str, voice: str = "calm") -> Persona:
    return samples()[0].model_copy(update={"persona_id": persona_id, "voice": voice})


async def test_a_persona_is_appended_once_and_again_only_when_it_changed(stack: Stack) -> None:
    first = own_persona("applied-once")
    assert await apply_personas(stack.settings, [first], NOW) == [first]
    assert await apply_personas(stack.settings, [first], NOW) == []
    changed = own_persona("applied-once", voice="loud")
    assert await apply_personas(stack.settings, [changed], NOW) == [changed]
    found = (await read_directory(stack.settings)).require("applied-once")
    assert (found.persona, found.version) == (changed, changed.version())


async def test_a_running_worker_finds_what_was_applied_meanwhile_past_garbage_on_the_topic(stack: Stack) -> None:
    directory = persona_directory(stack.cluster, open_registry(None))
    try:
        await directory.refresh()
        assert directory.find("applied-later") is None
        await append_garbage(stack)
        await apply_personas(stack.settings, [own_persona("applied-later")], NOW)
        await directory.refresh()
        assert directory.require("applied-later").version == own_persona("applied-later").version()
        await apply_personas(stack.settings, [own_persona("applied-later", voice="loud")], NOW)
        await directory.refresh()
        assert directory.require("applied-later").persona.voice == "loud"
        await directory.refresh()
    finally:
        await directory.close()


async def append_garbage(stack: Stack) -> RecordMetadata:
    producer = EventProducer(stack.cluster, open_registry(None))
    try:
        return await producer.send_raw("personas", b"garbage", b"no avro at all")
    finally:
        await producer.stop()


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "personas", *arguments],
        env=stack.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_commands_apply_the_samples_and_list_them_as_json(stack: Stack) -> None:
    applied = run(stack, "apply")
    assert applied.returncode == 0, applied.stderr
    assert f"{len(samples())} applied, 0 unchanged" in applied.stdout
    assert f"0 applied, {len(samples())} unchanged" in run(stack, "apply").stdout
    listed = {each["persona_id"]: each["version"] for each in json.loads(run(stack, "list", "--json").stdout)}
    for persona in samples():
        assert listed[persona.persona_id] == persona.version()


def test_a_bad_file_is_refused_whole_with_exit_status_2(stack: Stack, tmp_path: Path) -> None:
    bad = tmp_path / "bad personas.yaml"
    bad.write_text("personas: [{persona_id: x}]\n", encoding="utf-8")
    refused = run(stack, "apply", str(bad))
    assert refused.returncode == 2
    assert "bad personas.yaml: persona 'x', voice: is missing; add it" in refused.stderr


async def test_a_removed_persona_is_gone_for_running_workers_and_new_ones(stack: Stack) -> None:
    running = persona_directory(stack.cluster, open_registry(None))
    try:
        await apply_personas(stack.settings, [own_persona("removed"), own_persona("kept")], NOW)
        await running.refresh()
        assert running.find("removed") is not None
        with pytest.raises(UnknownPersonaError, match="No persona was removed: 'never-there' not in force"):
            await remove_personas(stack.settings, ["removed", "never-there"])
        await remove_personas(stack.settings, ["removed"])
        await running.refresh()
        for directory in (running, await read_directory(stack.settings)):
            with pytest.raises(RecordFault, match="'removed' is unknown"):
                directory.require("removed")
            assert directory.find("kept") is not None
    finally:
        await running.close()


async def test_a_tombstone_that_compaction_took_is_noticed_after_half_a_day(stack: Stack) -> None:
    now_s = 0.0
    settings = stack.settings
    directory = persona_directory(stack.cluster, open_registry(None), lambda: now_s)
    await apply_personas(settings, [own_persona("slept-through"), own_persona("stayed")], NOW)
    producer = EventProducer(stack.cluster, open_registry(None))
    try:
        await directory.refresh()
        assert directory.find("slept-through") is not None
        await remove_personas(settings, ["slept-through"])
        end = (await producer.send_raw("personas", b"garbage", b"no avro at all")).offset
        await delete_records_before(stack, end)  # as compaction does: neither the persona nor its tombstone is left
        await apply_personas(settings, [own_persona("stayed")], NOW)
        await directory.refresh()
        assert directory.find("slept-through") is not None
        now_s = REREAD_AFTER_S + 1
        await directory.refresh()
        assert directory.find("slept-through") is None
        assert directory.find("stayed") is not None
    finally:
        await producer.stop()
        await directory.close()


async def delete_records_before(stack: Stack, offset: int) -> None:
    """Delete records of the topic, which the broker refuses as long as its policy is compaction alone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()

    config = wanted_shape(topic_named("personas"), stack.settings).config

    async def set_policy(policy: str) -> None:
        await admin.alter_configs([ConfigResource("topic", "personas", {**config, "cleanup.policy": policy})])

    try:
        await set_policy("compact,delete")
        await admin.delete_records({KafkaPartition("personas", 0): RecordsToDelete(offset)}, timeout_ms=30_000)
        await set_policy("compact")
    finally:
        await admin.close()


def test_the_command_removes_a_persona_and_names_one_that_is_unknown(stack: Stack) -> None:
    assert run(stack, "apply").returncode == 0
    removed = run(stack, "remove", "balcony-bea")
    assert (removed.returncode, removed.stdout) == (0, "removed    balcony-bea\n"), removed.stderr
    listed = {each["persona_id"] for each in json.loads(run(stack, "list", "--json").stdout)}
    assert "balcony-bea" not in listed
    assert "ledger-lou" in listed
    again = run(stack, "remove", "balcony-bea")
    assert again.returncode == 2
    assert "'balcony-bea' not in force; see `threads-agent personas list`" in again.stderr
