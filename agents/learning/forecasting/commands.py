"""The commands `threads-agent forecast post|coverage|hours|trends`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from streams.cli.table import Column, Table, count, print_table, print_text, wide_option

if TYPE_CHECKING:
    from agents.learning.forecasting.post_starts import PostStart
    from agents.personas.persona import Persona

NOT_ENOUGH_EXIT_STATUS = 1
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
days_option = click.option(
    "--history", type=click.IntRange(1, 3_650), default=180, show_default=True, help="Days of posts that are looked at."
)


@click.group(epilog="Example: threads-agent forecast coverage")
def forecast() -> None:
    """Foretell how posts will do, and show what moves."""


@forecast.command(epilog="Example: threads-agent forecast post 17900000000000042")
@click.argument("post_id", metavar="POST")
@days_option
@json_option
@click.pass_context
def post(ctx: click.Context, /, *, post_id: str, history: int, as_json: bool) -> None:
    """Foretell a post's views after a day from its first 10 and 60 minutes, with an 80 % interval."""
    from agents.learning.forecasting.early import AGES, LEAST_POSTS
    from agents.learning.forecasting.early import forecast as forecast_of
    from streams.errors import SettingsError
    from streams.wall_clock import utc_now

    posts, now = _posts(None, history), utc_now()
    wanted = next((each for each in posts if each.post_id == post_id), None)
    if wanted is None:
        raise SettingsError(f"no post {post_id} in the last {history} days: `threads-agent posts list` shows them")
    age_minutes = (now - wanted.published_at).total_seconds() / 60
    made = (forecast_of(wanted, posts, minutes, now) for minutes in AGES if age_minutes >= minutes)
    found = [each for each in made if each is not None]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    elif found:
        names = ("from", "views then", "after a day", "80 % interval", "posts")
        columns = [Column(name, "number") for name in names]
        rows = [
            (
                f"{each.minutes} min",
                count(each.views_so_far),
                count(round(each.views)),
                f"{each.low:,.0f} to {each.high:,.0f}",
                count(each.posts),
            )
            for each in found
        ]
        print_table(Table(columns, rows))
    if not found:
        if not as_json:
            young = age_minutes < AGES[0]
            print_text(
                "it is younger than 10 minutes" if young else f"not enough history: {LEAST_POSTS} posts are needed"
            )
        ctx.exit(NOT_ENOUGH_EXIT_STATUS)


@forecast.command(epilog="Example: threads-agent forecast coverage --history 90")
@click.option("--persona", metavar="ID", help="Of one persona. Default: all.")
@days_option
@json_option
@click.pass_context
def coverage(ctx: click.Context, /, *, persona: str | None, history: int, as_json: bool) -> None:
    """Show how often the intervals held what came: each finished post foretold from those before it."""
    from agents.learning.forecasting.early import AGES, LEAST_POSTS, SHARE
    from agents.learning.forecasting.early import coverage as coverage_of
    from streams.wall_clock import utc_now

    posts, now = _posts(persona, history), utc_now()
    found = [each for minutes in AGES if (each := coverage_of(posts, minutes, now))]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    elif found:
        names = ("from", "posts", "held", "95 % interval", "high / low")
        rows = [
            (
                f"{each.minutes} min",
                count(each.posts),
                f"{each.share:.0%}",
                f"{each.low:.0%} to {each.high:.0%}",
                f"{each.width:.1f}",
            )
            for each in found
        ]
        print_table(
            Table([Column(name, "number") for name in names], rows, title=f"Intervals meant to hold {SHARE:.0%}")
        )
    if not found:
        if not as_json:
            print_text(f"not enough history: {LEAST_POSTS} finished posts are needed before one that is looked at")
        ctx.exit(NOT_ENOUGH_EXIT_STATUS)


@forecast.command(epilog="Example: threads-agent forecast hours --persona balcony-bea")
@click.option("--persona", required=True, metavar="ID", help="Whose posts, by whose clock.")
@days_option
@wide_option
@json_option
@click.pass_context
def hours(ctx: click.Context, /, *, persona: str, history: int, wide: bool, as_json: bool) -> None:
    """Show at which hours of the persona's clock its posts do well."""
    from zoneinfo import ZoneInfo

    from agents.learning.forecasting.moves import LEAST_POSTS, hours_of_day
    from streams.wall_clock import utc_now

    zone = asyncio.run(_persona(persona)).posting.timezone
    found = hours_of_day(_posts(persona, history), ZoneInfo(zone), utc_now())
    if as_json:
        click.echo(json.dumps([asdict(each) | {"verdict": each.verdict} for each in found], indent=2))
    elif found:
        columns = [
            Column(f"hour in {zone}"),
            *(Column(name, "number") for name in ("posts", "times the mean", "95 % interval")),
            Column("", "text"),
        ]
        rows = [
            (
                f"{each.hour:02d}:00",
                count(each.posts),
                f"{each.times:.2f}",
                f"{each.low:.2f} to {each.high:.2f}",
                each.verdict,
            )
            for each in found
        ]
        print_table(Table(columns, rows), wide=wide)
    if not found:
        if not as_json:
            print_text(f"not enough history: {LEAST_POSTS} finished posts of {persona} are needed")
        ctx.exit(NOT_ENOUGH_EXIT_STATUS)


@forecast.command("trends", epilog="Example: threads-agent forecast trends --persona balcony-bea --days 7")
@click.option("--persona", required=True, metavar="ID", help="Whose topics.")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How many days are the present.")
@days_option
@wide_option
@json_option
def show_trends(*, persona: str, days: int, history: int, wide: bool, as_json: bool) -> None:
    """Show how a persona's topics do now against their own history: engagements a post in its first day."""
    from agents.learning.forecasting.moves import trends
    from streams.wall_clock import utc_now

    topics = asyncio.run(_persona(persona)).topics
    found = trends(topics, _posts(persona, history), utc_now(), days)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, indent=2))
        return
    numbers = ("posts now", "before", "times", "95 % interval")
    columns = [Column("topic", "text"), *(Column(name, "number") for name in numbers), Column("", "text")]
    rows = [
        (
            each.topic,
            count(each.posts),
            count(each.before),
            "-" if each.ratio is None else f"{each.ratio:.2f}",
            "-" if each.ratio is None else f"{each.low:.2f} to {each.high:.2f}",
            each.verdict,
        )
        for each in found
    ]
    print_table(Table(columns, rows), wide=wide)


def _posts(persona_id: str | None, days: int) -> list[PostStart]:
    from agents.learning.forecasting.post_starts import read_post_starts
    from streams.settings import current_settings

    return asyncio.run(read_post_starts(current_settings(), persona_id, days))


async def _persona(persona_id: str) -> Persona:
    from agents.personas.persona_topic import read_directory
    from streams.errors import SettingsError
    from streams.settings import current_settings

    found = (await read_directory(current_settings())).find(persona_id)
    if found is None:
        raise SettingsError(f"there is no persona {persona_id}: `threads-agent personas list` shows them")
    return found.persona
