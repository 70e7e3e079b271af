"""`threads-agent groups` on the real broker: what is shown is right, and a reset is planned, refused or done whole."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition
from click.testing import CliRunner, Result

from streams.cli.groups import groups
from streams.endpoints import update_endpoints
from streams.engine.batch import TopicPartition
from streams.errors import ThreadsError
from streams.kafka.consumer_lag import LagReader
from streams.kafka.group_reset import Goal, ResetPlan, plan_reset, reset
from streams.kafka.topics import ensure_topic
from streams.role_names import role_names
from streams.settings import current_settings
from tests.support.table_checks import TERMINALS, assert_whole

if TYPE_CHECKING:
    from tests.conftest import Stack

HOUR_MS = 3_600_000
BEGAN_MS = 1_772_323_200_000  # the first record of each partition; the others an hour apart


@pytest.fixture(autouse=True)
def home(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands use the session's stack."""
    update_endpoints(stack.home, kafka=stack.bootstrap)
    monkeypatch.setenv("THREADS_HOME", str(stack.home))
    current_settings.cache_clear()


def run(*arguments: str, columns: int = 250) -> Result:
    result = CliRunner().invoke(groups, arguments, env={"COLUMNS": str(columns)})
    assert result.exception is None or isinstance(result.exception, SystemExit | ThreadsError), result.exception
    return result


def parsed(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


async def log_of(stack: Stack, records: int = 5, partitions: int = 2) -> str:
    """Make a topic with as many records in each partition."""
    topic = f"groups-{uuid4().hex}"
    await ensure_topic(stack.cluster, topic, partitions, {})
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap) as producer:
        for partition in range(partitions):
            for number in range(records):
                at_ms = BEGAN_MS + number * HOUR_MS
                await producer.send_and_wait(topic, b"x", partition=partition, timestamp_ms=at_ms)
    return topic


async def commit(stack: Stack, group: str, topic: str, *offsets: int) -> None:
    async with AIOKafkaConsumer(
        bootstrap_servers=stack.bootstrap, group_id=group, enable_auto_commit=False
    ) as consumer:
        wanted = {KafkaPartition(topic, number): OffsetAndMetadata(at, "") for number, at in enumerate(offsets)}
        consumer.assign(list(wanted))
        await consumer.commit(wanted)


@pytest.fixture
def topic(stack: Stack) -> str:
    """A topic of two partitions with five records each."""
    return asyncio.run(log_of(stack))


@pytest.fixture
def group(stack: Stack, topic: str) -> str:
    """A group that has committed 2 and 5 of it, and has no members."""
    name = f"group-{uuid4().hex}"
    asyncio.run(commit(stack, name, topic, 2, 5))
    return name


def committed(stack: Stack, group: str) -> dict[TopicPartition, int]:
    async def look() -> dict[TopicPartition, int]:
        async with LagReader(stack.cluster) as reader:
            return {source: each.offset for source, each in (await reader.commits(group)).items()}

    return asyncio.run(look())


@contextmanager
def member(stack: Stack, group: str, topic: str) -> Iterator[None]:
    """Have a member in a group."""
    with asyncio.Runner() as runner:

        async def join() -> AIOKafkaConsumer:
            consumer = AIOKafkaConsumer(
                topic, bootstrap_servers=stack.bootstrap, group_id=group, client_id="somebody", enable_auto_commit=False
            )
            await consumer.start()
            return consumer

        consumer = runner.run(join())
        try:
            yield
        finally:
            runner.run(consumer.stop())


def moved(entry: dict[str, Any]) -> list[tuple[int, int, int]]:
    """Return where each partition goes, how much it reads again and how much it skips."""
    return [(each["to"], each["read_again"], each["skipped"]) for each in entry["partitions"]]


def test_lag_is_shown_in_records_and_seconds_by_partition(topic: str, group: str) -> None:
    first, second = parsed("lag", group, "--topic", topic)
    assert (first["committed"], first["position"], first["end"], first["lag_records"]) == (2, 2, 5, 3)
    assert first["lag_s"] > 0
    assert (second["committed"], second["lag_records"], second["lag_s"]) == (5, 0, 0.0)
    [listed] = [each for each in parsed("list") if each["group"] == group]
    assert (listed["state"], listed["members"], listed["lag_records"]) == ("Empty", [], 3)
    for columns in TERMINALS:
        assert_whole(run("lag", group, columns=columns).stdout.splitlines(), [group, topic], columns)
        assert_whole(run("list", columns=columns).stdout.splitlines(), [group], columns)


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        (("--to", "beginning"), [(0, 2, 0), (0, 5, 0)]),
        (("--to", "end"), [(5, 0, 3), (5, 0, 0)]),
        (("--to-offset", "3"), [(3, 0, 1), (3, 2, 0)]),
        (("--to-time", str(BEGAN_MS + 3 * HOUR_MS - 1)), [(3, 0, 1), (3, 2, 0)]),
        (("--to-time", "2099-01-01"), [(5, 0, 3), (5, 0, 0)]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_reset_is_shown_first_and_done_with_yes(
    stack: Stack, topic: str, group: str, goal: Sequence[str], expected: list[tuple[int, int, int]]
) -> None:
    before = committed(stack, group)
    assert moved(parsed("reset", group, *goal)) == expected
    assert committed(stack, group) == before
    assert "is changed yet; with --yes: " in run("reset", group, *goal).stdout
    done = parsed("reset", group, *goal, "--yes")
    assert (done["done"], moved(done)) == (True, expected)
    assert list(committed(stack, group).values()) == [to for to, _, _ in expected]
    assert moved(parsed("reset", group, *goal)) == [(to, 0, 0) for to, _, _ in expected]


def test_what_waits_behind_where_a_worker_is_counts_from_there_and_else_from_the_commit(
    stack: Stack, topic: str, group: str
) -> None:
    async def look(first: int | None, second: int | None) -> list[tuple[int, bool]]:
        async with LagReader(stack.cluster) as reader:
            wanted = {TopicPartition(topic, 0): first, TopicPartition(topic, 1): second}
            found = await reader.lags_from(group, wanted)
        return [(each.records, bool(each.seconds)) for each in found]

    assert asyncio.run(look(None, None)) == [(3, True), (0, False)]
    assert asyncio.run(look(4, 1)) == [(1, True), (0, False)]  # it never is behind its commit
    assert asyncio.run(look(5, 5)) == [(0, False), (0, False)]


def test_a_reset_of_one_partition_leaves_the_others(stack: Stack, topic: str, group: str) -> None:
    result = run("reset", group, "--to", "beginning", "--topic", topic, "--partition", "1", "--yes", columns=80)
    assert result.exit_code == 0, result.output
    assert list(committed(stack, group).values()) == [2, 0]


def test_a_group_at_work_is_not_reset_and_its_members_are_named(stack: Stack, topic: str, group: str) -> None:
    with member(stack, group, topic):
        shown = run("reset", group, "--to", "beginning")
        assert shown.exit_code == 1
        assert "would be refused now" in shown.stdout
        refused = run("reset", group, "--to", "beginning", "--yes").exception
    assert re.search(r"is at work, .*somebody-.* at 127\.0\.0\.1 \(groups-.*/0, groups-", str(refused))
    assert list(committed(stack, group).values()) == [2, 5]


def test_a_member_that_comes_after_the_look_is_not_overwritten(stack: Stack, topic: str, group: str) -> None:
    plan = asyncio.run(plan_reset(stack.cluster, group, Goal("beginning")))
    with member(stack, group, topic), pytest.raises(ThreadsError, match="is at work"):
        asyncio.run(reset(stack.cluster, plan))
    assert list(committed(stack, group).values()) == [2, 5]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--to-offset", "4", "--topic", "no-such-topic"), "There is no topic no-such-topic"),
        (("--to-offset", "99"), "Offset 99 is not there: .*/0 has 0 to 5"),
        (("--to", "end", "--topic", "{topic}", "--partition", "7"), "There is no partition 7: .* has 0 to 1"),
    ],
)
def test_what_is_not_there_is_told_and_nothing_is_changed(
    stack: Stack, topic: str, group: str, arguments: Sequence[str], says: str
) -> None:
    given = [each.format(topic=topic) for each in arguments]
    result = CliRunner().invoke(groups, ["reset", group, *given, "--yes"])
    with pytest.raises(ThreadsError, match=says):
        raise result.exception or AssertionError(result.output)
    assert list(committed(stack, group).values()) == [2, 5]


def test_a_misspelt_group_is_told_with_those_there_are(group: str) -> None:
    for arguments in (["reset", "no-such-group", "--to", "end", "--yes"], ["lag", "no-such-group"]):
        with pytest.raises(ThreadsError, match=rf"There is no group .*no-such-group.*{group}"):
            raise CliRunner().invoke(groups, arguments).exception or AssertionError


def test_a_reset_fits_the_terminal_and_cuts_no_name(topic: str, group: str) -> None:
    for columns in TERMINALS:
        lines = run("reset", group, "--to", "beginning", columns=columns).stdout.splitlines()
        assert_whole(lines, [topic, group], columns)


def test_a_role_that_never_ran_needs_a_topic_and_can_be_set_before_its_first_start(stack: Stack, topic: str) -> None:
    roles = [name for name in role_names() if name not in {each["group"] for each in parsed("list")}]
    name = roles[-1]
    assert "name each with --topic" in str(run("reset", name, "--to", "end").exception)
    assert moved(parsed("reset", name, "--to", "end", "--topic", topic)) == [(5, 0, 5), (5, 0, 5)]


def test_exactly_one_goal_is_taken(group: str) -> None:
    assert run("reset", group).exit_code == 2
    assert run("reset", group, "--to", "end", "--to-offset", "1").exit_code == 2
    assert run("reset", group, "--to", "end", "--partition", "1").exit_code == 2


def test_a_group_that_keeps_state_is_told_that_a_reset_counts_nothing_anew(
    stack: Stack, topic: str, group: str
) -> None:
    changelog = f"{group}.stage.{topic}.changelog"
    asyncio.run(ensure_topic(stack.cluster, changelog, 2, {}))
    assert parsed("reset", group, "--to", "beginning")["changelogs"] == [changelog]
    shown = " ".join(run("reset", group, "--to", "beginning").stdout.split())
    assert "this alone counts nothing anew" in shown
    assert changelog in shown


def test_offsets_of_our_own_commits_keep_saying_which_log_they_count_in(stack: Stack, topic: str) -> None:
    name = f"group-{uuid4().hex}"

    async def look() -> tuple[ResetPlan, str | None]:
        async with LagReader(stack.cluster) as reader:
            found = (await reader.commits(name))[TopicPartition(topic, 0)]
        return await plan_reset(stack.cluster, name, Goal("end"), topic, [0]), found.log_id

    async def commit_as_a_worker_does() -> None:
        source = KafkaPartition(topic, 0)
        async with AIOKafkaConsumer(
            bootstrap_servers=stack.bootstrap, group_id=name, enable_auto_commit=False
        ) as consumer:
            consumer.assign([source])
            await consumer.commit({source: OffsetAndMetadata(3, "log=of-an-earlier-topic")})

    asyncio.run(commit_as_a_worker_does())
    plan, _ = asyncio.run(look())
    assert [(each.committed, each.position) for each in plan.moves] == [(3, 0)]  # the topic was made again since
    asyncio.run(reset(stack.cluster, plan))
    after, log_id = asyncio.run(look())
    assert log_id == plan.moves[0].log_id is not None
    assert [(each.position, each.skipped) for each in after.moves] == [(5, 0)]
