"""dead-letters redrive, drop, show, export on the real broker: each record is sent once, whatever befalls the run."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.structs import ConsumerRecord

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, header
from schemas.definitions import definition
from schemas.records import EngagementEvent, Header
from schemas.registries.http_registry import HttpRegistry
from schemas.registries.registry import open_registry
from streams.kafka.topics import ensure_topic
from streams.letters.reading import read_outcomes
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker
from tests.support.dead_letter_log import NOON, copies, finish, letter, run, start, told, write_letters
from tests.support.faults.dead_letters import dead_letters
from tests.support.faults.poison import golden_record
from tests.support.faults.told_counts import settled
from tests.support.record_batches import Given, append

DEADLINE_S = 90.0
POLL_S = 0.2
EVENTS = 30
TOPIC = topic_named("engagement.events")


async def until(condition: Callable[[], Awaitable[bool]], why: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not await condition():
        assert time.monotonic() < deadline, why()
        await asyncio.sleep(POLL_S)


def event(persona: str) -> bytes:
    made = golden_record(TOPIC)
    assert isinstance(made, EngagementEvent)
    return RowCodec(open_registry(None)).encode(
        TOPIC, replace(made, event_id=uuid4().hex, persona_id=persona, kind="like", count=1)
    )


def sent_of(records: list[ConsumerRecord]) -> Counter[str]:
    """Return how often each letter's record was sent again."""
    return Counter(value.decode() for record in records for name, value in record.headers if name == "redrive-of")


@pytest.mark.timeout(240)
async def test_events_of_a_schema_that_came_later_are_counted_once_though_redriven_twice_and_killed(
    stack: Stack, spawn_worker: SpawnWorker
) -> None:
    persona = f"redriven {uuid4().hex}"
    registry = HttpRegistry(stack.registry_url)
    try:
        before = registry.register("before.redrive-value", {**definition("EngagementEvent"), "doc": persona})
        missing = before + 1
        values = [header(missing) + event(persona)[HEADER_BYTES:] for _ in range(EVENTS)]
        given = [Given(persona.encode(), value, [(b"trace", b"\xff"), (b"n\xe4me", None)]) for value in values]
        await append(stack.bootstrap, TOPIC.name, 1, [*given, Given(persona.encode(), event(persona))])
        worker = spawn_worker("kpis", slot="redrive")

        async def all_refused() -> bool:
            found = [each async for _, each in dead_letters(stack) if each.key == persona.encode()]
            return len(found) == EVENTS and all(f"got id {missing}" in each.reason for each in found)

        await until(all_refused, worker.log)
        newer = copy.deepcopy(definition("EngagementEvent"))
        newer["doc"] = f"{persona}, and later"
        assert registry.register(TOPIC.subject, newer) == missing
    finally:
        registry.close()
    worker.restart()  # it would ask for the id again by itself, some time after it was told that there is none
    which = ("redrive", "--key", persona, "--reason", f"GOT ID {missing}")
    killed = start(stack, *which, "--rate", "8")

    async def some_sent() -> bool:
        assert killed.poll() is None, finish(killed).stderr.decode()
        return len(await of_persona(stack, persona)) >= 4

    await until(some_sent)
    killed.kill()
    finish(killed)
    done = await told(stack, *which, "--by", "test")
    again = await told(stack, *which)
    assert (again["outcomes"], again["settled_before"]) == ([], EVENTS)
    assert 0 < len(done["outcomes"]) < EVENTS
    assert (await settled(stack, {persona: Counter({"likes": EVENTS + 1})}))[persona] == {"likes": EVENTS + 1}
    written = await of_persona(stack, persona)
    assert (len(written), set(sent_of(written).values())) == (EVENTS, {1})
    assert sorted(each.value for each in written) == sorted(values)
    assert {(each.partition, each.key) for each in written} == {(1, persona.encode())}
    assert {tuple(each.headers[:2]) for each in written} == {(("trace", b"\xff"), (b"n\xe4me", None))}
    times = [each async for _, each in dead_letters(stack) if each.key == persona.encode()]
    assert {each.timestamp for each in written} == {round(at.source_timestamp.timestamp() * 1000) for at in times}
    outcomes = [each for each in await read_outcomes(stack.cluster, open_registry(None)) if persona in each.selection]
    assert Counter(each.outcome for each in outcomes) == {"sent": EVENTS}
    assert len({each.event_id for each in outcomes}) == EVENTS
    by_run = [run_ for run_ in await told(stack, "runs") if persona in run_["selection"]]
    assert [(run_["letters"], run_["unfinished"] > 0) for run_ in by_run] == [
        (EVENTS, True),
        (len(done["outcomes"]), False),
    ]
    assert by_run[1]["requested_by"] == "test"
    assert await told(stack, "list", "--key", persona) == []
    assert {each["state"] for each in await told(stack, "list", "--key", persona, "--all")} == {"sent"}


async def of_persona(stack: Stack, persona: str) -> list[ConsumerRecord]:
    return [each for each in await copies(stack, TOPIC.name) if each.key == persona.encode()]


@pytest.mark.timeout(180)
async def test_two_redrives_at_once_send_each_record_once_and_one_of_them_says_that_it_ends(stack: Stack) -> None:
    name = f"letters.{uuid4().hex}"
    await ensure_topic(stack.cluster, name, 1, {})
    of_two = [letter(name, 0, event_id=f"{name}-of-another", consumer="sink-postgres")]
    await write_letters(stack, [*(letter(name, number) for number in range(40)), *of_two])
    which = ("redrive", "--topic", name, "--rate", "20", "--json")
    first, second = start(stack, *which), start(stack, *which)
    ended = [await asyncio.to_thread(finish, each) for each in (first, second)]
    statuses = sorted(each.returncode for each in ended)
    assert statuses in ([0, 0], [0, 2]), [each.stderr.decode() for each in ended]
    for each in ended:
        if each.returncode:
            assert "another process writes as" in each.stderr.decode()
            assert "the same command goes on with the rest" in each.stderr.decode()
    assert set(sent_of(await copies(stack, name)).values()) == {1}
    assert len(await copies(stack, name)) == 40  # the record that two consumers refused stands there once
    assert await told(stack, "list", "--topic", name) == []


@pytest.mark.timeout(180)
async def test_letters_are_looked_into_sent_again_to_a_limit_or_refused_with_a_reason(stack: Stack) -> None:
    name = f"letters.{uuid4().hex}"
    await ensure_topic(stack.cluster, name, 2, {})
    often = (Header(name="redrive-of", value=b"before"), Header(name="redrive-count", value=b"3"))
    cut = "it is long (the last 7 bytes of the record did not fit into its dead letter)"
    await write_letters(
        stack,
        [
            letter(name, 0, source_partition=1),
            letter(name, 1, source_partition=5),
            letter(name, 2, headers=often),
            letter(name, 3, reason=cut),
            letter(name, 4, key=None, value=None),
            letter("personas", 10**9, event_id=f"{name}-compacted", consumer=name),
            letter(f"{name}.gone", 6, consumer=name),
            letter(name, 7, reason="'a' is no date", consumer=name, value=b'{"a": 1}'),
        ],
    )
    grouped = (await run(stack, "list", "--topic", name, COLUMNS="200")).stdout
    assert "expected a number, got" in grouped
    assert grouped.count("kpis") == 2
    shown = await told(stack, "show", f"{name}-00000007")
    assert (shown["form"], shown["decoded"], shown["value_hex"]) == ("json", {"a": 1}, b'{"a": 1}'.hex())
    assert "dead-letters redrive --id" in shown["what_to_do"]
    text = (await run(stack, "show", f"{name}-00000000")).stdout
    assert [each for each in ("76 61 6c 75 65 20 30", r"n\xe4me: none", '"key 0"') if each not in text] == []
    planned = await told(stack, "redrive", "--topic", name, "--dry-run")
    assert (planned["records"], len(planned["refused"])) == (3, 3)
    assert await copies(stack, name) == []
    await told(stack, "redrive", "--topic", name, "--limit", "2")
    by_partition = {each.partition: each for each in await copies(stack, name)}
    kept = by_partition[1]
    assert (kept.key, kept.value, kept.timestamp) == (b"key 0", b"value 0", int(NOON.timestamp() - 86_400) * 1000)
    assert kept.headers == (
        ("trace", b"\xff"),
        (b"n\xe4me", None),
        ("redrive-of", f"{name}-00000000".encode()),
        ("redrive-count", b"1"),
    )
    refused = {
        each["letter_id"]: each["reason"] for each in (await told(stack, "redrive", "--topic", name))["outcomes"]
    }
    assert "was sent again 3 times" in refused[f"{name}-00000002"]
    assert "did not fit" in refused[f"{name}-00000003"]
    assert "neither key nor value" in refused[f"{name}-00000004"]
    others = {
        each["letter_id"]: each["reason"] for each in (await told(stack, "redrive", "--consumer", name))["outcomes"]
    }
    assert "would undo a newer one" in others[f"{name}-compacted"]
    assert "there is no topic" in others[f"{name}.gone-00000006"]
    raised = await told(stack, "redrive", "--id", f"{name}-00000002", "--most", "4")
    assert [(each["outcome"], each["redrive_count"]) for each in raised["outcomes"]] == [("sent", 4)]
    [back] = [each for each in await copies(stack, name) if dict(each.headers)["redrive-count"] == b"4"]
    returned = letter(
        name, 100, source_partition=back.partition, source_offset=back.offset, headers=(
            Header(name="redrive-of", value=f"{name}-00000002".encode()), Header(name="redrive-count", value=b"4"),
        )
    )  # fmt: skip
    await write_letters(stack, [returned])
    assert (await told(stack, "show", f"{name}-00000002"))["came_back_as"] == returned.event_id
    again = await told(stack, "redrive", "--id", f"{name}-00000002")
    assert "came back as letter" in again["outcomes"][0]["reason"]


@pytest.mark.timeout(180)
async def test_letters_are_exported_and_dropped_with_a_reason(stack: Stack, tmp_path: Path) -> None:
    name = f"letters.{uuid4().hex}"
    await write_letters(stack, [letter(name, 0), letter(name, 7, value=b'{"a": 1}')])
    file = tmp_path / "letters.jsonl"
    assert (await run(stack, "export", str(file), "--topic", name, "--all")).exit_code == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [base64.b64decode(each["value"] or "") for each in lines] == [b"value 0", b'{"a": 1}']
    assert "--overwrite" in (await run(stack, "export", str(file), "--topic", name)).stderr
    raw = tmp_path / "raw"
    assert (await run(stack, "export", str(raw), "--raw", "--id", f"{name}-00000007")).exit_code == 0
    assert raw.read_bytes() == b'{"a": 1}'

    assert "which letters?" in (await run(stack, "redrive")).stderr
    dropped = await told(stack, "drop", "--topic", name, "--because", "a test")
    assert {each["reason"] for each in dropped} == {"a test"}
    assert await told(stack, "list", "--topic", name) == []
    assert await told(stack, "drop", "--topic", name, "--because", "again") == []
    assert {each["state"] for each in await told(stack, "list", "--topic", name, "--all")} == {"dropped"}
