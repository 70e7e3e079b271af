"""`threads-agent dead-letters pass`: let a record pass that stops a partition."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from streams.cli.completion import topic_names

if TYPE_CHECKING:
    from schemas.records import DeadLetter


@click.command(
    "pass",
    epilog="Example: threads-agent dead-letters pass TOPIC --partition 0 --offset 17 --consumer ROLE --because WHY",
)
@click.argument("topic", shell_complete=topic_names)
@click.option("--partition", type=click.IntRange(min=0), required=True, help="Partition that is stopped.")
@click.option("--offset", type=click.IntRange(min=0), required=True, help="Offset that it is stopped at.")
@click.option("--consumer", required=True, help="Consumer (a role) that is stopped there.")
@click.option("--because", required=True, help="Why it is not to be waited for, for the audit.")
@click.option("--dry-run", is_flag=True, help="Check that it is stopped there, write nothing.")
@click.option("--by", default=None, help="Who does it, for the audit. Default: user and machine.")
@click.option("--json", "as_json", is_flag=True, help="Print the letter as an object.")
def let_pass(
    *,
    topic: str,
    partition: int,
    offset: int,
    consumer: str,
    because: str,
    dry_run: bool,
    by: str | None,
    as_json: bool,
) -> None:
    """Let the record pass that a partition of TOPIC is stopped at, as its policy has it: it becomes a dead letter.

    The worker goes on behind it within a minute. The record can be redriven when what refuses it is mended.
    """
    if not because.strip():
        raise click.BadParameter("say why: who reads the audit has nothing else", param_hint="--because")
    letter = asyncio.run(_pass(topic, partition, offset, consumer, None if dry_run else (because, by)))
    if letter is None:
        click.echo(f"{consumer} stands before {topic}/{partition} offset {offset}; it would go on behind that record")
    elif as_json:
        from streams.json_records import render_record

        click.echo(json.dumps(render_record(letter), indent=2, ensure_ascii=False))
    else:
        click.echo(f"{consumer} goes on behind {topic}/{partition} offset {offset}; the record is letter")
        click.echo(letter.event_id)


async def _pass(
    topic: str, partition: int, offset: int, consumer: str, said: tuple[str, str | None] | None
) -> DeadLetter | None:
    """Check that it is stopped there, and where something is said (why, and by whom) write the letter."""
    from streams.engine.batch import TopicPartition
    from streams.kafka.cluster import Cluster
    from streams.letters.passing import let_pass as passed
    from streams.letters.passing import stopped_record
    from streams.operations.runs import who
    from streams.settings import current_settings

    cluster, source = await Cluster.reached(current_settings()), TopicPartition(topic, partition)
    record = await stopped_record(cluster, consumer, source, offset)
    if said is None:
        return None
    because, by = said
    return await passed(
        cluster, cluster.open_registry(), consumer, source, record, because=because, requested_by=by or who()
    )
