from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.personas.posting import PostingPlan
from agents.publishing.approval import content_digest
from agents.publishing.asking.post_book import PostBook, Progress, SeenPost, UnknownPost
from agents.publishing.asking.shown import (
    commands_table,
    in_order,
    lines_of,
    posts_table,
    states_table,
    what_next,
    whole_object,
)
from agents.publishing.identity import publication_of_draft
from schemas.records import PostCommand, PostCommandKind, PostState, PublicationState
from streams.cli.table import table_lines
from tests.support.listed_tail import ListedTail

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TEXT = "Tired? Nap first, and then look at the list of things that you did not do yesterday because you were tired."
PERSONA = "night-shift-nora-of-the-long-name"
DRAFT = "2f3a4b5c-6d7e-5f80-9a1b-2c3d4e5f6071"
OWN = publication_of_draft(DRAFT)


def state(name: PublicationState, sequence: int = 1, *, ago: timedelta = timedelta(), **changes: Any) -> PostState:
    told = PostState(
        event_id=f"{name}-{sequence}-{changes.get('part', 0)}-{changes.get('publication_id', OWN)}",
        occurred_at=NOW - ago,
        persona_id=PERSONA,
        publication_id=OWN,
        sequence=sequence,
        state=name,
        platform="threads",
        draft_id=DRAFT,
        text=TEXT,
        content_digest=content_digest([TEXT]),
    )
    return replace(told, **changes)


def command(kind: PostCommandKind, *, ago: timedelta = timedelta(), **changes: Any) -> PostCommand:
    asked = PostCommand(
        event_id=f"{kind}-{ago}",
        occurred_at=NOW - ago,
        persona_id=PERSONA,
        kind=kind,
        draft_id=DRAFT,
        requested_by="mara (command line)",
    )
    return replace(asked, **changes)


PROPOSE = command("propose", ago=3 * HOUR, texts=(TEXT,), decision="accepted", requested_by="publishing")


async def book_of(*records: PostState | PostCommand) -> PostBook:
    states = [(each.persona_id, each) for each in records if isinstance(each, PostState)]
    commands = [(each.persona_id, each) for each in records if isinstance(each, PostCommand)]
    book = PostBook(ListedTail(states), ListedTail(commands))
    await book.refresh()
    return book


async def post_of(*records: PostState | PostCommand) -> SeenPost:
    return (await book_of(*records)).require(DRAFT)


async def test_a_publication_is_found_by_its_id_and_by_its_drafts_and_records_count_once() -> None:
    proposed = state("proposed")
    book = await book_of(PROPOSE, proposed, proposed, PROPOSE)
    post = book.require(OWN)
    assert book.require(DRAFT) is post
    assert (len(post.states), len(post.commands), post.draft_id) == (1, 1, DRAFT)
    with pytest.raises(UnknownPost, match="posts list"):
        book.require("nothing")


async def test_a_review_alone_is_no_publication() -> None:
    book = await book_of(command("review", decision="accepted", content_digest="0" * 64, revision=1))
    assert list(book) == []
    with pytest.raises(UnknownPost):
        book.require(DRAFT)


@pytest.mark.parametrize(
    ("told", "progress"),
    [
        (state("proposed"), "waits"),
        (state("approved"), "approved"),
        (state("scheduled", due_at=NOW + HOUR), "planned"),
        (state("scheduled", due_at=NOW - timedelta(minutes=1), ago=HOUR), "due"),
        (state("scheduled", due_at=NOW - HOUR, ago=2 * HOUR), "overdue"),
        (state("scheduled", due_at=NOW - HOUR), "due"),  # told just now, as of a missed run
        (state("container_created", due_at=NOW + timedelta(seconds=40)), "planned"),
        (state("publishing"), "under way"),
        (state("unconfirmed", ago=HOUR), "stuck"),
        (state("published"), "published"),
        (state("failed"), "failed"),
        (state("expired"), "expired"),
        (state("cancelled"), "cancelled"),
        (state("deleted"), "deleted"),
    ],
)
async def test_what_is_late_or_does_not_get_on_is_called_so(told: PostState, progress: Progress) -> None:
    post = await post_of(PROPOSE, told)
    assert post.progress(NOW) == progress
    assert what_next(post, PostingPlan(), NOW)


async def test_a_rejected_draft_is_kept_and_says_how_it_is_published_nevertheless() -> None:
    post = await post_of(replace(PROPOSE, decision="rejected"))
    assert (post.state, post.progress(NOW), post.texts) == (None, "rejected", (TEXT,))
    assert f"posts approve {OWN}" in what_next(post, None, NOW)


async def test_the_newest_state_of_each_part_counts_and_parts_that_an_edit_left_out_do_not() -> None:
    second = {"part": 1, "parts": 2}
    post = await post_of(
        state("published", 5, ago=HOUR, parts=2),
        state("scheduled", 3, ago=2 * HOUR, parts=2),
        state("scheduled", 3, ago=HOUR, **second),
    )
    assert [each.state for each in post.parts()] == ["published", "scheduled"]
    assert post.state == "scheduled"
    shorter = await post_of(
        state("cancelled", 2, ago=2 * HOUR, **second), state("proposed", 2, ago=HOUR, text="short", parts=1)
    )
    assert shorter.texts == ("short",)


async def test_commands_that_came_too_late_are_told_with_the_reason_and_others_are_not() -> None:
    done = command("cancel", ago=2 * HOUR, event_id="done")
    late = command("cancel", ago=HOUR / 2, event_id="late")
    timed = command("schedule", ago=2.5 * HOUR, event_id="timed")  # leads to no state of its own
    post = await post_of(
        PROPOSE,
        state("proposed", 1, ago=3 * HOUR, causation_id=PROPOSE.event_id),
        timed,
        done,
        state("cancelled", 2, ago=2 * HOUR, causation_id="done"),
        late,
    )
    assert [(each.event_id, why) for each, why in post.without_effect()] == [
        ("late", "it is cancelled and can't be cancelled; nothing is left to cancel")
    ]
    assert len(commands_table(post).rows) == 1


async def test_reviews_of_the_present_text_stand_and_those_of_an_edited_one_do_not() -> None:
    review = command("review", decision="accepted", content_digest=content_digest([TEXT]), revision=1)
    post = await post_of(PROPOSE, review, state("approved"))
    assert post.is_as_drafted
    assert whole_object(post, None, NOW)["review"]["reviewed_by"] == "mara (command line)"
    edited = await post_of(
        PROPOSE, review, state("proposed", 3, text="another", content_digest=content_digest(["another"]))
    )
    assert not edited.is_as_drafted
    assert whole_object(edited, None, NOW)["review"] is None


async def test_what_a_review_rejected_does_not_wait_any_more() -> None:
    review = command("review", decision="rejected", content_digest=content_digest([TEXT]), revision=1)
    post = await post_of(PROPOSE, review, state("proposed", 2, reason="rejected by mara"))
    assert (post.state, post.progress(NOW)) == ("proposed", "rejected")
    assert "brings it back" in what_next(post, PostingPlan(), NOW)


async def test_held_publications_say_so_whatever_state_they_are_in() -> None:
    hold = PostingPlan(approval="hold")
    for told in (state("proposed"), state("approved"), state("scheduled", due_at=NOW - HOUR, ago=HOUR)):
        assert "approval: hold" in what_next(await post_of(PROPOSE, told), hold, NOW)


async def test_what_is_open_is_listed_first_by_its_time_and_then_the_newest_of_the_rest() -> None:
    book = await book_of(
        *(
            state("published", publication_id=name, draft_id=None, ago=ago)
            for name, ago in (("p1", 2 * HOUR), ("p2", HOUR))
        ),
        state("scheduled", publication_id="s1", draft_id=None, due_at=NOW + 2 * HOUR),
        state("scheduled", publication_id="s2", draft_id=None, due_at=NOW + HOUR),
    )
    assert [each.publication_id for each in in_order(list(book), NOW)] == ["s2", "s1", "p2", "p1"]


@pytest.mark.parametrize("columns", [40, 80, 120, 250])
async def test_ids_are_whole_and_no_line_is_wider_than_the_terminal(columns: int) -> None:
    failed = state("failed", 4, due_at=NOW, reason="the token was revoked: add the account again", retryable=True)
    post = await post_of(PROPOSE, failed, command("cancel", event_id="late"))
    for table in (posts_table([post], NOW, "3 more with --limit 4"), states_table(post), commands_table(post)):
        lines = list(table_lines(table, columns))
        assert max(map(len, lines)) <= columns
        if columns >= 80 and table.columns[0].heading == "publication":
            assert any(line.startswith(OWN) for line in lines)
            assert "2026-11-22 12:00" in "\n".join(lines) or "11-22 12:00" in "\n".join(lines)


async def test_a_publication_is_shown_with_its_time_in_its_own_zone_and_json_holds_every_state() -> None:
    plan = PostingPlan(timezone="Europe/Berlin", approval="approve")
    post = await post_of(PROPOSE, state("proposed", ago=HOUR), state("scheduled", 2, due_at=NOW + HOUR, simulated=True))
    said = "\n".join(lines_of(post, plan, NOW))
    for part in (OWN, DRAFT, "approval: approve", "2026-11-22 14:00 Europe/Berlin (2026-11-22 13:00 UTC)", TEXT):
        assert part in said
    assert "scheduled (planned)" in said
    found = json.loads(json.dumps(whole_object(post, plan, NOW)))
    assert [each["state"] for each in found["states"]] == ["proposed", "scheduled"]
    assert (found["progress"], found["simulated"], found["approval"]) == ("planned", True, "approve")
