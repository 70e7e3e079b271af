from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

from agents.publishing.asking.refusals import refusal, state_of_all
from schemas.records import PostCommand, PostCommandKind, PublicationState

STATES: tuple[PublicationState, ...] = get_args(PublicationState)
KINDS: tuple[PostCommandKind, ...] = ("review", "schedule", "edit", "cancel", "delete", "retry")


def command(kind: PostCommandKind, digest: str = "now") -> PostCommand:
    return PostCommand(
        event_id="c",
        occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
        persona_id="refused-rita",
        kind=kind,
        content_digest=digest,
    )


def test_the_state_of_a_thread_is_that_of_its_first_part_that_is_not_public() -> None:
    assert state_of_all(["published", "scheduled", "scheduled"]) == "scheduled"
    assert state_of_all(["published", "published"]) == "published"
    assert state_of_all(["failed", "failed"]) == "failed"
    assert state_of_all([]) is None


@pytest.mark.parametrize("kind", KINDS)
def test_each_state_takes_a_command_or_says_why_not_and_what_to_do(kind: PostCommandKind) -> None:
    takes = {state for state in STATES if refusal(command(kind), [state], "now", retryable=True) is None}
    ours = {"proposed", "approved", "scheduled", "container_created"}
    assert (
        takes
        == {
            "review": ours,
            "schedule": ours | {"failed", "expired"},
            "edit": ours | {"failed", "expired"},
            "cancel": ours | {"publishing", "unconfirmed"},
            "delete": {"publishing", "unconfirmed", "published"},
            "retry": {"failed"},
        }[kind]
    )
    for state in sorted(set(STATES) - takes):
        said = refusal(command(kind), [state], "now", retryable=True)
        assert said is not None
        assert "can't be" in said
        assert said.partition("; ")[2]


def test_a_review_of_another_text_and_a_failure_that_stays_one_are_refused() -> None:
    assert "another text" in str(refusal(command("review", "before"), ["proposed"], "now"))
    assert "does not mend" in str(refusal(command("retry"), ["failed"], "now", retryable=False))


def test_a_thread_that_has_begun_keeps_its_text_and_time_and_can_be_ended() -> None:
    parts: list[PublicationState] = ["published", "scheduled"]
    for kind in ("edit", "review", "schedule"):
        assert "public already" in str(refusal(command(kind), parts, "now"))
    assert refusal(command("cancel"), parts, "now") is None
    assert refusal(command("delete"), parts, "now") is None
    assert refusal(command("delete"), ["published", "failed"], "now") is None


def test_a_draft_that_was_rejected_can_be_reviewed_and_edited_and_has_nothing_to_cancel() -> None:
    assert refusal(command("review"), [], "now") is None
    assert refusal(command("edit"), [], "now") is None
    assert "nothing is left to cancel" in str(refusal(command("cancel"), [], "now"))


def test_what_the_watchdog_and_the_platform_say_is_never_refused() -> None:
    assert refusal(command("heal"), ["published"], "now") is None
    assert refusal(command("confirm"), ["cancelled"], "now") is None
