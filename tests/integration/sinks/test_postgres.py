"""The Postgres sink on the real server: the same events end in the same rows, in any batching and order."""

from __future__ import annotations

import random
from typing import Any

import psycopg

from sinks.postgres.sink import TABLES, PostgresSink
from streams.engine.batch import TopicPartition
from tests.support.postgres_tables import query, write
from tests.support.sink_batches import NOON_MS, decided, draft, engagement, rows, scored
from tests.support.sink_batches_of_all import every_kind_of_batch, publishing_batches
from tests.support.stage_driver import DrivenStage


def checksums(dsn: str) -> dict[str, tuple[Any, ...]]:
    """Return count and MD5 of the rows of every table, of the totals too."""
    statement = "SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {} AS t"
    names = [*(table.name for table in TABLES), "post_totals", "day_totals"]
    return {name: query(dsn, statement.format(name))[0] for name in names}


def drop_tables(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


async def test_the_same_batches_in_any_order_and_grouping_end_in_the_same_rows(dsn: str) -> None:
    batches = every_kind_of_batch()
    await write(dsn, batches)
    expected = checksums(dsn)
    assert all(count > 0 for count, _ in expected.values())
    for seed in range(4):
        drop_tables(dsn)
        await write(dsn, random.Random(seed).sample(batches, len(batches)), flush_every=1 + 5 * seed)
        assert checksums(dsn) == expected


async def test_a_replay_changes_nothing(dsn: str) -> None:
    batches = every_kind_of_batch()
    await write(dsn, batches)
    expected = checksums(dsn)
    await write(dsn, batches, flush_every=100)
    assert checksums(dsn) == expected


async def test_of_engagement_with_one_id_the_first_in_the_log_counts(dsn: str) -> None:
    late = engagement(0, ["a", "b"], first_offset=10, count=[7, 8])
    early = engagement(0, ["a"], first_offset=2, count=[5])
    await write(dsn, [late, early])
    assert query(dsn, "SELECT event_id, count, source_offset FROM engagement ORDER BY 1") == [("a", 5, 2), ("b", 8, 11)]


async def test_a_decided_draft_stays_decided_when_an_earlier_stage_comes_later(dsn: str) -> None:
    rejected = rows("drafts.rejected", 0, [decided(1, "rejected", reasons=("near duplicate",))])
    await write(dsn, [rejected, rows("drafts.scored", 0, [scored(1)]), rows("drafts.generated", 0, [draft(1)])])
    found = query(
        dsn, "SELECT status, score, reasons, near_duplicate_id, near_duplicate_similarity, features FROM drafts"
    )
    features = [{"name": "length", "value": 1.0, "weight": 0.5, "reason": 'a "word" \\'}]
    assert found == [("rejected", 0.75, ["near duplicate"], "draft-0", 0.97, features)]


async def test_a_publication_is_in_its_last_state_part_by_part(dsn: str) -> None:
    await write(dsn, publishing_batches()[::-1])
    found = query(
        dsn, "SELECT publication_id, part, sequence, state, post_id, retryable FROM publications ORDER BY 1, 2"
    )
    assert found == [
        ("publication-1", 0, 3, "published", "post-1", None),
        ("publication-1", 1, 1, "failed", None, False),
        ("publication-2", 0, 1, "approved", None, None),
    ]


async def test_what_a_platform_did_not_tell_is_null_and_never_0(dsn: str) -> None:
    await write(dsn, publishing_batches())
    found = query(dsn, "SELECT event_id, views, likes, links FROM insights_snapshots ORDER BY 1")
    links = [{"url": "https://example.com/?a=b", "clicks": 3}]
    assert found == [("s", None, None, links), ("snapshot-1", 10, None, links)]


async def test_kpi_history_keeps_the_latest_of_each_pane_and_the_view_the_latest_of_all(dsn: str) -> None:
    await write(dsn, every_kind_of_batch())
    assert query(dsn, "SELECT window_name, views FROM kpi_updates ORDER BY window_name, pane") == [
        ("1h", 20),
        ("1h", 40),
        ("lifetime", 5),
    ]
    assert query(dsn, "SELECT window_name, views FROM kpi_current ORDER BY 1") == [("1h", 40), ("lifetime", 5)]


async def test_daily_engagement_adds_up_by_persona_day_and_kind(dsn: str) -> None:
    simulated = engagement(1, ["c"], count=[5], simulated=True, occurred_at=[NOON_MS + 86_400_000])
    await write(dsn, [engagement(0, ["a", "b"], count=[3, 4]), simulated])
    found = query(
        dsn, "SELECT persona_id, day::text, kind, count, simulated_count, events FROM daily_engagement ORDER BY day"
    )
    assert found == [("nova", "2026-03-01", "view", 7, 0, 2), ("nova", "2026-03-02", "view", 5, 5, 1)]


async def test_a_partition_that_went_away_is_not_written(dsn: str) -> None:
    sink = DrivenStage(PostgresSink(dsn, 20))
    await sink.open()
    await sink.add(engagement(0, ["mine"]))
    await sink.add(engagement(1, ["another's"]))
    await sink.drop(TopicPartition("engagement.events", 1))
    await sink.flush()
    await sink.close()
    assert query(dsn, "SELECT event_id FROM engagement") == [("mine",)]
