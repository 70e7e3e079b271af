"""The commands `threads-agent posts`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from streams.cli.table import print_table, print_text, wide_option

if TYPE_CHECKING:
    from agents.publishing.asking.answers import Answer
    from agents.publishing.asking.post_book import SeenPost

UNANSWERED_EXIT_STATUS = 1
Command = TypeVar("Command", bound=Callable[..., object])


def json_option(command: Command) -> Command:
    """Give a command the option --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def reason_option(command: Command) -> Command:
    """Give a command the option --reason."""
    return click.option("--reason", metavar="TEXT", help="Why, in words.")(command)


@click.group(epilog="Example: threads-agent posts list --persona night-shift-nora")
def posts() -> None:
    """Publications: what is to be published, is, and was, and why; an ID is a publication's or its draft's."""


@posts.command(
    epilog="Example: threads-agent posts schedule --persona night-shift-nora --text 'Tired?' --at '2026-12-01 09:00'"
)
@click.option("--draft", metavar="ID", help="Draft that is to be published; the id of its publication does too.")
@click.option("--persona", metavar="ID", help="Persona that posts a text of its own.")
@click.option("--text", "texts", multiple=True, help="Text of a part; several make a thread.")
@click.option("--at", metavar="TIME", help="When, as '2026-12-01 09:00' in the persona's zone, or with an offset.")
@click.option("--now", "at_once", is_flag=True, help="As soon as may be.")
@click.option("--platform", help="Platform; that of the persona's account where none is given.")
@click.option("--topic-tag", metavar="TAG", help="Topic tag, without #; the persona's where none is given.")
@click.option("--reply-control", metavar="WHO", help="Who may reply; as the persona's plan says where none is given.")
@click.option("--link", metavar="URL", help="Link to attach.")
@json_option
@click.pass_context
def schedule(
    ctx: click.Context,
    *,
    draft: str | None,
    persona: str | None,
    texts: tuple[str, ...],
    at: str | None,
    at_once: bool,
    platform: str | None,
    topic_tag: str | None,
    reply_control: str | None,
    link: str | None,
    as_json: bool,
) -> None:
    """Publish a draft or a text at a time, at once, or by the persona's plan.

    A time that a change of the clocks leaves out comes as much later; of one that comes twice the first is meant. A
    persona whose approval is `approve` needs one of this text too.
    """
    from agents.publishing.asking.scheduling import Wanted, schedule
    from streams.settings import current_settings

    wanted = Wanted(draft, persona, texts, at, at_once, platform, topic_tag, reply_control, link)
    _tell(ctx, asyncio.run(schedule(current_settings(), wanted)), as_json=as_json)


@posts.command("list", epilog="Example: threads-agent posts list --state waits --state stuck --json")
@click.option("--persona", metavar="ID", help="Only those of this persona.")
@click.option(
    "--state",
    "states",
    multiple=True,
    metavar="STATE",
    help="Only those that are so (repeatable): a state, or waits, planned, due, overdue, under way, stuck, rejected.",
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Greatest number of rows.")
@wide_option
@json_option
def list_posts(*, persona: str | None, states: tuple[str, ...], limit: int, wide: bool, as_json: bool) -> None:
    """List what waits, is due, is stuck, and was published: what is open by time, then the newest of the rest."""
    from agents.publishing.asking.looking import chosen, require_states
    from agents.publishing.asking.shown import in_order, post_object, posts_table
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    require_states(states)
    now = utc_now()
    found = in_order(asyncio.run(chosen(current_settings(), now, persona, states)), now)
    shown, left = found[:limit], len(found) - limit
    if as_json:
        click.echo(json.dumps([post_object(each, now) for each in shown], ensure_ascii=False, indent=2))
    elif shown:
        print_table(posts_table(shown, now, f"{left} more with --limit {len(found)}" if left > 0 else ""), wide=wide)
    else:
        click.echo("no such publications; a draft has one soon after it was accepted, where publishing runs")


@posts.command(epilog="Example: threads-agent posts show 7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f")
@click.argument("either_id", metavar="ID")
@wide_option
@json_option
def show(either_id: str, *, wide: bool, as_json: bool) -> None:
    """Show one publication: its text, every state with time and reason, what is next, and what had no effect."""
    from agents.publishing.asking.looking import one
    from agents.publishing.asking.shown import commands_table, lines_of, states_table, whole_object
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    post, posting = asyncio.run(one(current_settings(), either_id))
    now = utc_now()
    if as_json:
        click.echo(json.dumps(whole_object(post, posting, now), ensure_ascii=False, indent=2))
        return
    for line in lines_of(post, posting, now):
        print_text(line)
    for table in (states_table(post), commands_table(post)):
        if table.rows:
            click.echo()
            print_table(table, wide=wide)


@posts.command(epilog="Example: threads-agent posts approve 7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f")
@click.argument("either_id", metavar="ID")
@click.option("--digest", metavar="SHA256", help="Digest of the text that was looked at: another text is refused.")
@reason_option
@json_option
@click.pass_context
def approve(ctx: click.Context, either_id: str, *, digest: str | None, reason: str | None, as_json: bool) -> None:
    """Approve the text of ID as it is now, or as `posts show` told its digest; an edit ends the approval."""
    from agents.publishing.asking.asking import review
    from streams.settings import current_settings

    answer = asyncio.run(review(current_settings(), "accepted", either_id, digest=digest, reason=reason))
    _tell(ctx, answer, as_json=as_json, with_text=True)


@posts.command(epilog="Example: threads-agent posts reject 7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f --reason 'off brand'")
@click.argument("either_id", metavar="ID")
@click.option("--digest", metavar="SHA256", help="Digest of the text that was looked at: another text is refused.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in words.")
@json_option
@click.pass_context
def reject(ctx: click.Context, either_id: str, *, digest: str | None, reason: str, as_json: bool) -> None:
    """Reject the text of ID: it is not published, unless a later review accepts it before its place is given up."""
    from agents.publishing.asking.asking import review
    from streams.settings import current_settings

    answer = asyncio.run(review(current_settings(), "rejected", either_id, digest=digest, reason=reason))
    _tell(ctx, answer, as_json=as_json, with_text=True)


@posts.command(epilog="Example: threads-agent posts edit 7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f --text 'Tired? Nap.'")
@click.argument("either_id", metavar="ID")
@click.option("--text", "texts", multiple=True, required=True, help="Text of a part; several make a thread.")
@reason_option
@json_option
@click.pass_context
def edit(ctx: click.Context, either_id: str, *, texts: tuple[str, ...], reason: str | None, as_json: bool) -> None:
    """Give ID another text, before it is published; what was approved was the old one."""
    from agents.publishing.asking.asking import ask
    from streams.settings import current_settings

    answer = asyncio.run(ask(current_settings(), "edit", either_id, texts=texts, reason=reason))
    _tell(ctx, answer, as_json=as_json, with_text=True)


@posts.command(epilog="Example: threads-agent posts cancel 7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f --reason 'not now'")
@click.argument("either_id", metavar="ID")
@reason_option
@json_option
@click.pass_context
def cancel(ctx: click.Context, either_id: str, *, reason: str | None, as_json: bool) -> None:
    """Take ID back while it is not published; what of a thread is public stays."""
    from agents.publishing.asking.asking import ask
    from streams.settings import current_settings

    _tell(ctx, asyncio.run(ask(current_settings(), "cancel", either_id, reason=reason)), as_json=as_json)


@posts.command(epilog="Example: threads-agent posts retry 7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f")
@click.argument("either_id", metavar="ID")
@reason_option
@json_option
@click.pass_context
def retry(ctx: click.Context, either_id: str, *, reason: str | None, as_json: bool) -> None:
    """Try ID again now, where it failed in a way that can be mended."""
    from agents.publishing.asking.asking import ask
    from streams.settings import current_settings

    _tell(ctx, asyncio.run(ask(current_settings(), "retry", either_id, reason=reason)), as_json=as_json)


@posts.command(epilog="Example: threads-agent posts delete 7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f --reason 'wrong price'")
@click.argument("either_id", metavar="ID")
@reason_option
@json_option
@click.pass_context
def delete(ctx: click.Context, either_id: str, *, reason: str | None, as_json: bool) -> None:
    """Take ID down from the platform, all its parts."""
    from agents.publishing.asking.asking import ask
    from streams.settings import current_settings

    _tell(ctx, asyncio.run(ask(current_settings(), "delete", either_id, reason=reason)), as_json=as_json)


def _tell(ctx: click.Context, answer: Answer, *, as_json: bool, with_text: bool = False) -> None:
    """Print what came of a command; exit status 1 where the publisher did not answer."""
    from agents.publishing.asking.shown import answer_lines, answer_object
    from streams.wall_clock import utc_now

    if as_json:
        click.echo(json.dumps(answer_object(answer, utc_now()), ensure_ascii=False, indent=2))
    else:
        lines = [*_text_lines(answer.post)] if with_text else []
        for line in [*lines, *answer_lines(answer)]:
            print_text(line)
    ctx.exit(UNANSWERED_EXIT_STATUS if answer.outcome == "silent" else 0)


def _text_lines(post: SeenPost) -> list[str]:
    return [*(f"text         {text}" for text in post.texts), f"digest       {post.digest}"]
