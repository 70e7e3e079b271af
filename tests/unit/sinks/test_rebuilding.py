"""Rebuilds: which tables are compared, where a version goes on, what differs and what a switch would lose."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from sinks.postgres.rebuilding.comparing import TableComparison, TableStatements, differing_columns
from sinks.postgres.rebuilding.database import RebuildError
from sinks.postgres.rebuilding.rebuild import Wanted, refusal, rows_to_lose
from sinks.postgres.rebuilding.tables import COMPARED, DIFFERENT_BY_NATURE, NOT_COMPARED
from sinks.postgres.rebuilding.versions import Schemas, Version, chosen, last_rebuilt
from sinks.qdrant import comparing as points
from sinks.qdrant.sink import DraftPoint
from sinks.rebuilding.reading import LogChanged, Reach, by_topic, distance, gone_on, positions_of
from streams.engine.batch import TopicPartition
from streams.operations.rebuilds import MAX_DETAIL_BYTES, detail_text, words_of

EVENTS, DRAFTS = TopicPartition("engagement.events", 0), TopicPartition("drafts.accepted", 1)
MIGRATIONS = "\n".join(
    file.read_text(encoding="utf-8")
    for file in sorted(files("sinks.postgres").joinpath("migrations").iterdir(), key=lambda file: file.name)
)


def test_every_table_of_the_migrations_is_compared() -> None:
    made = set(re.findall(r"^CREATE TABLE (\w+) \(", MIGRATIONS, re.MULTILINE))
    assert made - NOT_COMPARED.keys() == {table.name for table in COMPARED}


def test_a_column_that_says_when_a_row_was_written_is_named_with_a_reason() -> None:
    lines = [line for line in MIGRATIONS.splitlines() if re.search(r"DEFAULT (now|clock_timestamp|CURRENT)", line)]
    assert len(lines) == len(DIFFERENT_BY_NATURE)


def test_a_new_version_begins_where_the_log_begins_and_goes_on_where_it_was() -> None:
    assert gone_on(EVENTS, None, "id", 5, 90) == Reach("id", 5, 5, 90)
    assert gone_on(EVENTS, Reach("id", 5, 40, 40), "id", 5, 90) == Reach("id", 5, 40, 90)
    assert gone_on(EVENTS, Reach("id", 5, 40, 40), "id", 60, 90) == Reach("id", 60, 60, 90), "retention took some"
    assert gone_on(EVENTS, Reach(None, 5, 40, 40), "id", 5, 90).next == 40, "an old broker tells no ids"


@pytest.mark.parametrize(("topic_id", "end"), [("another", 90), ("id", 39)])
def test_a_log_that_is_another_is_not_gone_on_with(topic_id: str, end: int) -> None:
    with pytest.raises(LogChanged, match=r"engagement\.events was made again .*--afresh"):
        gone_on(EVENTS, Reach("id", 5, 40, 40), topic_id, 0, end)


def test_what_is_left_to_read_is_told_by_partition_and_by_topic() -> None:
    reached = {EVENTS: Reach("id", 5, 40, 90), DRAFTS: Reach("id", 0, 7, 7)}
    assert [(each.topic, each.start, each.next, each.end) for each in positions_of(reached)] == [
        ("engagement.events", 40, 40, 90)
    ]
    assert distance(reached) == 50
    assert list(by_topic(reached)) == [("drafts.accepted", 7, 0), ("engagement.events", 85, 50)]


def test_differing_columns_are_those_of_rows_that_both_versions_have() -> None:
    assert differing_columns(("a", "b"), {"a": 1, "b": 2}, {"a": 1, "b": 3}) == {"b": (2, 3)}
    assert differing_columns(("a",), {"a": 1}, None) == differing_columns(("a",), None, {"a": 1}) == {}


def test_a_switch_loses_rows_that_only_live_has_and_no_totals() -> None:
    found = [
        TableComparison("costs", differing={"gone": 2, "rebuilt": 5}),
        TableComparison("revenue", differing={"different": 3}),
        TableComparison("day_totals", differing={"live": 4}),
    ]
    assert rows_to_lose(found) == {"costs": 2}
    assert "2 of costs; their records are no longer in the log: `--carry` takes them over" in refusal(
        found, "rebuild_1"
    )
    found.append(TableComparison("requests", differing={"live": 1}))
    assert "`--leave-behind`" in refusal(found, "rebuild_1")


def test_a_row_is_gone_only_where_its_record_would_make_it_still() -> None:
    for table in COMPARED:
        of = TableStatements(Schemas("public", "rebuild_1"), table, [*table.key, "another"])
        classified = of["kinds"].decode()
        if table.place is None:
            assert "WHEN FALSE THEN 'gone'" in classified
        else:
            precedes = ">" if table.keeps == "last" else "<"
            rank = ", ".join(f"live.{name}" for name in table.rank)
            assert f"({rank}) {precedes} (" in classified
            assert f"positions.partition = live.{table.place[0]}" in classified
        assert "{" not in classified


def test_versions_are_chosen_by_name_or_by_a_number_that_only_one_has() -> None:
    found = [Version("before_1", "", 0), Version("rebuild_2", "", 0), Version("before_3", "", 0)]
    assert chosen(found, "before_1") is chosen(found, "1") is found[0]
    assert last_rebuilt(found) is found[1]
    assert last_rebuilt(found[:1]) is None
    with pytest.raises(RebuildError, match=r"there is no version public to choose; there are: before_1, rebuild_2"):
        chosen(found, "public")


def test_a_run_is_told_in_the_words_of_the_command_line_and_stays_small() -> None:
    assert words_of(Wanted()) == "from the beginning of the log"
    told = "from the beginning of the log --switch --leave-behind --rate 500"
    assert words_of(Wanted(switch=True, leave_behind=True, rate=500)) == told
    assert detail_text({"read": 1, "differences": ["x" * MAX_DETAIL_BYTES]}) == '{"read": 1}'
    assert detail_text({"read": 1, "differences": ["x"]}) == '{"read": 1, "differences": ["x"]}'


def test_points_differ_by_payload_and_by_each_number_of_their_vector() -> None:
    point = DraftPoint("a", (0.6, 0.8), {"text": "t", "score": None})
    same = DraftPoint("a", (0.6, 0.8), {"score": None, "text": "t"})
    others = [DraftPoint("a", (0.8, 0.6), point.payload), DraftPoint("a", point.vector, {"text": "u", "score": None})]
    assert points.digest(point) == points.digest(same)
    assert len({points.digest(each) for each in (point, *others)}) == 3
    found = points.compare("drafts", {"a": b"1", "b": b"1", "c": b"1"}, {"b": b"1", "c": b"2", "d": b"1"})
    assert found.differing == {"live": ["a"], "rebuilt": ["d"], "different": ["c"]}
    assert (found.live_points, found.rebuilt_points, found.equal) == (3, 3, False)
    assert points.compare("drafts", {"a": b"1"}, {"a": b"1"}).equal
    assert found.without({"c"}).differing == {"live": ["a"], "rebuilt": ["d"]}
    assert points.is_close(point, DraftPoint("a", (0.6000001, 0.8), same.payload))
    assert not any(points.is_close(point, each) for each in others)
