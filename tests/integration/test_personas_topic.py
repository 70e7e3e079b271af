"""Personas on the real topic: applied once, found by running workers, and listed by the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from aiokafka.structs import RecordMetadata

from agents.personas.directory import PersonaDirectory
from agents.personas.persona import Persona
from agents.personas.persona_log import KafkaPersonaLog
from agents.personas.persona_topic import apply_personas, read_directory
from schemas.registry import open_registry
from streams.kafka.producer import EventProducer
from tests.conftest import Stack
from tests.drafting import NOW, samples


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
    directory = PersonaDirectory(KafkaPersonaLog(stack.settings, open_registry(None)))
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
    producer = EventProducer(stack.bootstrap, open_registry(None), stack.settings)
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
    assert "bad personas.yaml: persona 'x', voice: Field required" in refused.stderr
