"""The command `replay`: write a range of a topic into Postgres or Qdrant again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from schemas.catalogue import CATALOGUE

if TYPE_CHECKING:
    from sinks.range_replay import ReplayCount, TimeRange
    from sinks.sink import Sink
    from streams.settings import Settings


Target = tuple[Sequence[str], "Callable[[Settings], Sink]"]
"""Topics that a sink takes, and how it is made."""


def _postgres() -> Target:
    from sinks.postgres.connection import postgres_dsn
    from sinks.postgres.sink import PostgresSink

    return PostgresSink.topics, lambda settings: PostgresSink(postgres_dsn(settings), settings.io_timeout_s)


def _qdrant() -> Target:
    from sinks.qdrant.role import vector_store
    from sinks.qdrant.sink import QdrantSink

    return QdrantSink.topics, lambda settings: QdrantSink(vector_store(settings))


_TARGETS = {"postgres": _postgres, "qdrant": _qdrant}


class _Moment(click.ParamType):
    """ISO 8601 (UTC where it names no zone) or milliseconds since the epoch; gives the latter."""

    name = "time"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"expected ISO 8601 such as 2026-03-01T12:00:00Z, or epoch milliseconds; got {value!r}", param, ctx
            )
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


@click.command(epilog="Example: threads-agent replay engagement.events --since 2026-03-01T00:00:00Z --into postgres")
@click.argument("topic", type=click.Choice([topic.name for topic in CATALOGUE if not topic.internal]))
@click.option("--since", type=_Moment(), help="Only records the broker took at or after this time.")
@click.option("--until", type=_Moment(), help="Only records the broker took before this time.")
@click.option("--into", type=click.Choice(sorted(_TARGETS)), required=True, help="Where to write.")
def replay(*, topic: str, since: int | None, until: int | None, into: str) -> None:
    """Write a range of TOPIC into a sink again; done twice, it changes nothing.

    Times are ISO 8601 (UTC where no zone is named) or epoch milliseconds.
    """
    from sinks.range_replay import TimeRange
    from streams.settings import current_settings

    topics, make_sink = _TARGETS[into]()
    if topic not in topics:
        raise click.BadParameter(f"{into} takes nothing from {topic}; it takes {', '.join(topics)}", param_hint="TOPIC")
    settings = current_settings()
    count = asyncio.run(_replay(settings, topic, TimeRange(since, until), make_sink(settings)))
    click.echo(f"{topic} into {into}: {count.read:,} read, {count.written:,} written, {count.refused:,} refused")


async def _replay(settings: Settings, topic: str, span: TimeRange, sink: Sink) -> ReplayCount:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sinks.range_replay import replay_range
    from streams.endpoints import require_kafka
    from streams.kafka.reader import range_size

    total = await range_size(settings, require_kafka(settings), topic, since_ms=span.since_ms, until_ms=span.until_ms)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    await sink.open()
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(f"replay {topic}", total=total)
            count = await replay_range(settings, topic, span, sink, lambda records: progress.advance(task, records))
            progress.update(task, completed=total)  # compaction takes records, not offsets
        return count
    finally:
        await sink.close()
