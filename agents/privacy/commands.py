"""The commands `threads-agent persona erase` and `persona export`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli.table import Cell, Column, Table, count, print_table, print_text, wide_option

if TYPE_CHECKING:
    from agents.privacy.export import Export
    from agents.privacy.log_holdings import LogHolding
    from streams.erasers import Holding
    from streams.kafka.cluster import Cluster


@click.group(epilog="Example: threads-agent persona erase night-shift-nora --dry-run")
def persona() -> None:
    """Erase one persona from everywhere, or export all there is of it."""


@persona.command(epilog="Example: threads-agent persona erase night-shift-nora --yes")
@click.argument("persona_id", metavar="ID")
@click.option("--dry-run", is_flag=True, help="Show what each place holds, and change nothing; so without --yes, too.")
@click.option("--yes", "is_meant", is_flag=True, help="Do it: what is erased can't be had back.")
@click.option("--without", "left_out", metavar="PLACE", multiple=True, help="Leave a place out, as qdrant; repeatable.")
@click.option("--by", "requested_by", metavar="NAME", help="Who asked for it, for the audit; default: this user.")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print an object: persona_id, done, run_id, places, log.")
def erase(
    *,
    persona_id: str,
    dry_run: bool,
    is_meant: bool,
    left_out: tuple[str, ...],
    requested_by: str | None,
    wide: bool,
    as_json: bool,
) -> None:
    """Erase the persona ID from every store and state; its records in the log are hidden until they expire.

    Posts that are on a platform stay there: delete them before, with `posts delete`.
    """
    does_it = is_meant and not dry_run
    found = asyncio.run(_erase(persona_id, requested_by, left_out, does_it=does_it))
    if as_json:
        click.echo(json.dumps(found.as_object(), indent=2, default=str))
        return
    held = [each for each in found.places if each.count or each.later]
    print_table(Table(_PLACES, [(each.place, each.what, count(each.count), each.later) for each in held]), wide=wide)
    if found.log:
        click.echo()
        print_table(Table(_LOG, [_log_cells(each) for each in found.log]), wide=wide)
    for line in found.remarks():
        print_text(line)


@persona.command(epilog="Example: threads-agent persona export night-shift-nora")
@click.argument("persona_id", metavar="ID")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="Folder to make; default: export-ID in this folder."
)
@click.option("--by", "requested_by", metavar="NAME", help="Who asked for it, for the audit; default: this user.")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print an object: folder, run_id, records, files.")
def export(*, persona_id: str, folder: Path | None, requested_by: str | None, wide: bool, as_json: bool) -> None:
    """Write all that the log holds of the persona ID into a folder: JSON lines by topic, and a manifest with checksums.

    Tokens of accounts are left out. What retention has deleted is in no log, and not in the export.
    """
    from agents.privacy.export import export_persona

    where = folder or Path(f"export-{safe_name(persona_id)}")

    async def write() -> Export:
        return await export_persona(await _cluster(), persona_id, where, requested_by)

    done = asyncio.run(write())
    if as_json:
        files = [asdict(each) for each in done.files]
        told = {"folder": str(done.folder), "run_id": done.run_id, "records": done.records, "files": files}
        click.echo(json.dumps(told, indent=2))
        return
    print_table(Table(_FILES, [(each.name, count(each.records), count(each.bytes)) for each in done.files]), wide=wide)
    print_text(f"{done.records:,} records are in {done.folder} (run {done.run_id}); they are personal: keep them safe")


def safe_name(persona_id: str) -> str:
    """Return a persona's id as a part of a file's name."""
    return "".join(each if each.isalnum() or each in "-_" else "_" for each in persona_id)


@dataclass(frozen=True, slots=True)
class _Found:
    """What places and the log hold of a persona, or held before it was erased by a run."""

    persona_id: str
    run_id: str | None
    places: Sequence[Holding]
    log: Sequence[LogHolding]

    def as_object(self) -> dict[str, Any]:
        return {
            "persona_id": self.persona_id,
            "done": self.run_id is not None,
            "run_id": self.run_id,
            "places": [asdict(each) for each in self.places],
            "log": [asdict(each) for each in self.log],
        }

    def remarks(self) -> list[str]:
        kept = sum(each.records for each in self.log)
        stays = f"{kept:,} records stay in the log as listed, shown to nobody; posts on platforms stay there"
        if self.run_id is None:
            return [f"nothing of {self.persona_id} is changed yet; with --yes all of this is deleted for good; {stays}"]
        return [f"{self.persona_id} is erased (run {self.run_id}); {stays}"]


async def _erase(persona_id: str, requested_by: str | None, left_out: Collection[str], *, does_it: bool) -> _Found:
    from agents.privacy.erasure import erase_persona, holdings_of, places_without
    from agents.privacy.log_holdings import log_holdings

    cluster, places = await _cluster(), places_without(left_out)
    _tell("looking at what there is of it")
    held = await holdings_of(cluster, persona_id, places)
    log = await log_holdings(cluster, persona_id)
    _require_known(persona_id, held, log)
    if not does_it:
        return _Found(persona_id, None, held, log)
    erased = await erase_persona(cluster, persona_id, places, held, requested_by=requested_by, tell=_tell)
    return _Found(persona_id, erased.run_id, erased.holdings, await log_holdings(cluster, persona_id))


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _require_known(persona_id: str, places: Sequence[Holding], log: Sequence[LogHolding]) -> None:
    from streams.errors import ThreadsError

    if not log and not any(each.count for each in places if "all personas" not in each.what):
        raise ThreadsError(f"Nothing is known of a persona {persona_id!r}; see `threads-agent personas list`")


async def _cluster() -> Cluster:
    from streams.kafka.cluster import Cluster
    from streams.settings import current_settings

    return await Cluster.reached(current_settings())


_PLACES = (Column("place", "id"), Column("what", "text"), Column("count", "number"), Column("left", "text"))
_FILES = (Column("file", "id"), Column("records", "number"), Column("bytes", "number"))
_LOG = (
    Column("topic", "id"),
    Column("partition", "number"),
    Column("records", "number"),
    Column("newest", "text", minor=1),
    Column("kept", "text"),
)


def _log_cells(each: LogHolding) -> tuple[Cell, ...]:
    newest = f"{each.newest_at:%Y-%m-%d %H:%M}"
    return (each.topic, str(each.partition), count(each.records), newest, each.kept)
