"""Publications as tables, lines and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from agents.personas.posting import PostingPlan
from agents.publishing.asking.answers import Answer
from agents.publishing.asking.post_book import OPEN, Progress, SeenPost
from agents.publishing.asking.requests import platform_of
from streams.cli.table import Column, Shown, Table
from streams.json_records import render_record

_LIST_COLUMNS = (
    Column("publication", "id"),
    Column("persona", "id", minor=1),
    Column("is"),
    Column("due (UTC)"),
    Column("parts", "number", minor=2),
    Column("platform", minor=2),
    Column("draft", "id", minor=3),
    Column("text", "text"),
    Column("reason", "text"),
)
_STATE_COLUMNS = (
    Column("at (UTC)"),
    Column("part", "number"),
    Column("state"),
    Column("call", "number", minor=1),
    Column("post", "id", minor=1),
    Column("container", "id", minor=2),
    Column("reason", "text"),
)
_COMMAND_COLUMNS = (Column("at (UTC)"), Column("asked"), Column("by", "text", minor=1), Column("no effect", "text"))
_HELD = "the persona's plan says approval: hold, so nothing goes on until that changes"


def in_order(posts: Sequence[SeenPost], now: datetime) -> list[SeenPost]:
    """Return publications as they are listed: what is open by the time it is due, then the rest, the newest first."""
    known = [(each, each.progress(now)) for each in posts]
    last = {each.publication_id: _changed_at(each) for each, _ in known}
    still = sorted((each for each, progress in known if progress in OPEN), key=lambda each: _due_key(each, now))
    over = [each for each, progress in known if progress not in OPEN]
    return still + sorted(over, key=lambda each: (last[each.publication_id], each.publication_id), reverse=True)


def _due_key(post: SeenPost, now: datetime) -> tuple[datetime, datetime, str]:
    return due_of(post) or now, _changed_at(post), post.publication_id


def _changed_at(post: SeenPost) -> datetime:
    last = post.last
    return last.occurred_at if last is not None else max(each.occurred_at for each in post.commands)


def due_of(post: SeenPost) -> datetime | None:
    """Return when a publication is due; None while that is open."""
    last = post.last
    if last is not None and last.due_at is not None:
        return last.due_at
    asked = [each for each in post.commands if each.kind == "schedule"]
    return asked[-1].due_at if asked and post.state in (None, "proposed", "approved") else None


def posts_table(posts: Sequence[SeenPost], now: datetime, note: str = "") -> Table:
    """Return the table that `posts list` prints."""
    rows = []
    for post in posts:
        last, due_at = post.last, due_of(post)
        due = Shown("open", "open") if due_at is None else Shown(f"{due_at:%Y-%m-%d %H:%M}", f"{due_at:%m-%d %H:%M}")
        texts = post.texts
        rows.append(
            (
                post.publication_id,
                post.persona_id,
                post.progress(now),
                due,
                str(len(texts)),
                platform_of(post),
                post.draft_id or "",
                texts[0],
                (last.reason or "") if last is not None else "",
            )
        )
    return Table(_LIST_COLUMNS, rows, note=note)


def post_object(post: SeenPost, now: datetime) -> dict[str, Any]:
    """Return a publication as JSON shows it, in the state that it has now."""
    last, due_at = post.last, due_of(post)
    parts = post.parts()
    return {
        "publication_id": post.publication_id,
        "draft_id": post.draft_id,
        "persona_id": post.persona_id,
        "platform": platform_of(post),
        "account_id": last.account_id if last is not None else None,
        "state": post.state,
        "progress": post.progress(now),
        "due_at": None if due_at is None else due_at.isoformat(),
        "changed_at": _changed_at(post).isoformat(),
        "reason": last.reason if last is not None else None,
        "retryable": last.retryable if last is not None else None,
        "simulated": last.simulated if last is not None else None,
        "texts": list(post.texts),
        "content_digest": post.digest,
        "post_ids": [each.post_id for each in parts],
        "permalinks": [each.permalink for each in parts],
    }


def whole_object(post: SeenPost, posting: PostingPlan | None, now: datetime) -> dict[str, Any]:
    """Return all that is known of a publication as JSON."""
    review = post.reviews.of(post.digest)
    return {
        **post_object(post, now),
        "approval": posting.approval if posting is not None else None,
        "review": None
        if review is None
        else {
            "decision": review.decision,
            "revision": review.revision,
            "reason": review.reason,
            "reviewed_by": review.reviewed_by,
        },
        "next": what_next(post, posting, now),
        "states": [render_record(each) for each in _by_time(post)],
        "commands": [render_record(each) for each in post.commands],
        "without_effect": [{"command_id": each.event_id, "why": why} for each, why in post.without_effect()],
    }


def lines_of(post: SeenPost, posting: PostingPlan | None, now: datetime) -> Iterator[str]:
    """Yield what `posts show` says above its tables."""
    last, due_at, review = post.last, due_of(post), post.reviews.of(post.digest)
    account = last.account_id if last is not None else None
    simulated = ", simulated" if last is not None and last.simulated else ""
    mode = "not in force" if posting is None else f"approval: {posting.approval}"
    state = post.state or "no state yet"
    yield f"publication  {post.publication_id}"
    if post.draft_id:
        yield f"draft        {post.draft_id}"
    yield f"persona      {post.persona_id} ({mode})"
    yield f"platform     {platform_of(post)}, {'no account yet' if account is None else account}{simulated}"
    progress = post.progress(now)
    yield f"state        {state}{'' if progress == state else f' ({progress})'}"
    yield f"due          {'open' if due_at is None else shown_in(due_at, posting)}"
    texts = post.texts
    for number, text in enumerate(texts, start=1):
        yield f"text {f'{number}/{len(texts)}' if len(texts) > 1 else '':<7} {text}"
    yield f"digest       {post.digest}"
    for each in post.parts():
        if each.permalink or each.post_id:
            yield f"post         {each.permalink or each.post_id}"
    if review is not None:
        because = "" if review.reason is None else f": {review.reason}"
        yield f"review       {review.decision} by {review.reviewed_by}, revision {review.revision}{because}"
    if last is not None and last.reason:
        yield f"reason       {last.reason}"
    yield f"next         {what_next(post, posting, now)}"


def shown_in(at: datetime, posting: PostingPlan | None) -> str:
    """Return a moment in the zone of the persona, and in UTC."""
    utc = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if posting is None or posting.timezone == "UTC":
        return utc
    return f"{at.astimezone(ZoneInfo(posting.timezone)):%Y-%m-%d %H:%M} {posting.timezone} ({utc})"


def states_table(post: SeenPost) -> Table:
    """Return the table of every state that a publication was in."""
    rows = [
        (
            f"{each.occurred_at:%Y-%m-%d %H:%M:%S}",
            f"{each.part + 1}/{each.parts}",
            each.state,
            str(each.attempt),
            each.post_id or "",
            each.container_id or "",
            each.reason or "",
        )
        for each in _by_time(post)
    ]
    return Table(_STATE_COLUMNS, rows)


def _by_time(post: SeenPost) -> list[Any]:
    return sorted(post.states, key=lambda each: (each.occurred_at, each.part, each.sequence))


def commands_table(post: SeenPost) -> Table:
    """Return the table of what was asked and had no effect; it has no rows where all had one."""
    rows = [
        (f"{each.occurred_at:%Y-%m-%d %H:%M:%S}", each.kind, each.requested_by, why)
        for each, why in post.without_effect()
    ]
    return Table(_COMMAND_COLUMNS, rows)


def what_next(post: SeenPost, posting: PostingPlan | None, now: datetime) -> str:
    """Return what becomes of a publication by itself, and what somebody can do."""
    own, progress = post.publication_id, post.progress(now)
    is_held = posting is not None and posting.approval == "hold"
    if progress in ("approved", "planned", "due", "overdue") and is_held:
        return _HELD
    if progress == "waits":
        asks = f"`threads-agent posts approve {own}` or `threads-agent posts reject {own}`"
        return f"{_HELD}; then it waits for {asks}" if is_held else f"it waits for {asks}"
    if progress == "failed":
        last = post.last
        if last is not None and last.retryable:
            return f"`threads-agent posts retry {own}` once its reason is mended"
        return f"`threads-agent posts edit {own}` where the text is the reason; else schedule it anew"
    return _NEXT[progress].format(own=own)


_NEXT: dict[Progress, str] = {
    "rejected": "nothing, as it was rejected; `threads-agent posts approve {own}`, or an edit, brings it back",
    "approved": "it gets its time from the persona's plan",
    "planned": "it is handed to the platform shortly before it is due",
    "due": "it is published now",
    "overdue": "it should be published; see its reason, and whether a worker runs the role publishing "
    "(`threads-agent status`)",
    "under way": "its outcome is awaited, or looked up at the platform",
    "stuck": "its outcome is looked up again and again, and it is published again only where it is not there; see its "
    "reason, and whether a worker runs the role publishing (`threads-agent status`)",
    "published": "nothing; `threads-agent posts delete {own}` takes it down",
    "expired": "nothing; `threads-agent posts schedule --draft {own}` proposes it again",
    "cancelled": "nothing; schedule the text anew where it is wanted",
    "deleted": "nothing; schedule the text anew where it is wanted",
}


def answer_lines(answer: Answer, posting: PostingPlan | None = None) -> Iterator[str]:
    """Yield what a command prints of its answer."""
    post, state = answer.post, answer.state
    yield f"publication  {post.publication_id}"
    for each in answer.notes:
        yield f"note         {each}"
    named = "no state yet" if post.state is None else post.state
    due_at = due_of(post)
    due = "" if due_at is None or post.state not in _WITH_DUE else f", due {shown_in(due_at, posting)}"
    yield f"state        {named}{due}"
    if state is not None and state.reason:
        yield f"reason       {state.reason}"
    if answer.outcome == "taken":
        yield "answer       the publisher has taken it, and no new state followed yet"
    elif answer.outcome == "silent":
        yield (
            "answer       none within 10 s: no worker runs the role publishing, or it is busy; the command is kept and "
            f"done once one runs (`threads-agent worker publishing`); `threads-agent posts show {post.publication_id}`"
        )


_WITH_DUE = (None, "proposed", "approved", "scheduled", "container_created")


def answer_object(answer: Answer, now: datetime) -> dict[str, Any]:
    """Return an answer as JSON."""
    return {
        **post_object(answer.post, now),
        "command_id": answer.command_id,
        "answer": answer.outcome,
        "notes": list(answer.notes),
    }
