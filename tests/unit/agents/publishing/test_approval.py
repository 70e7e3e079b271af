from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.personas.posting import Approval
from agents.publishing.approval import Reviews, Standing, content_digest, standing_of
from agents.publishing.identity import command_of, publication_of_draft
from schemas.records import Decision, PostCommand, PostCommandKind
from streams.errors import RecordFault

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DIGESTS = (content_digest(["one"]), content_digest(["two"]))


def review(
    decision: Decision | None = "accepted",
    *,
    revision: int = 1,
    digest: str | None = DIGESTS[0],
    who: str = "mara",
    kind: PostCommandKind = "review",
) -> PostCommand:
    return PostCommand(
        event_id=f"{digest}-{revision}-{who}",
        occurred_at=NOW,
        persona_id="approval-ada",
        kind=kind,
        draft_id="draft",
        decision=decision,
        content_digest=digest,
        revision=revision,
        requested_by=who,
    )


REVIEWS = st.builds(
    review,
    st.sampled_from(("accepted", "rejected")),
    revision=st.integers(1, 4),
    digest=st.sampled_from(DIGESTS),
    who=st.sampled_from(("mara", "nils")),
)


def test_the_digest_of_one_part_is_that_of_its_text_and_parts_are_kept_apart() -> None:
    assert content_digest(["Grüße 🌱"]) == hashlib.sha256("Grüße 🌱".encode()).hexdigest()
    assert content_digest(["a", "b"]) == hashlib.sha256(b"a\x00b").hexdigest()
    assert len({content_digest(each) for each in (["ab"], ["a", "b"], ["b", "a"], ["", "ab"])}) == 4


def test_the_greatest_revision_stands_and_of_one_revision_the_first_in_the_log() -> None:
    reviews = Reviews()
    assert reviews.put(review("accepted", who="mara"))
    assert not reviews.put(review("rejected", who="nils"))
    assert reviews.decision(DIGESTS[0]) == "accepted"
    assert reviews.put(review("rejected", revision=2, who="nils"))
    assert not reviews.put(review("accepted", who="mara"))
    found = reviews.of(DIGESTS[0])
    assert found is not None
    assert (found.decision, found.revision, found.reviewed_by) == ("rejected", 2, "nils")


def test_an_approval_is_of_one_text_alone() -> None:
    reviews = Reviews()
    reviews.put(review("accepted"))
    assert reviews.decision(DIGESTS[1]) is None


@given(st.lists(REVIEWS, max_size=12), st.integers(0, 12))
def test_reviews_that_come_again_or_through_the_state_decide_the_same(log: list[PostCommand], kept: int) -> None:
    once, restored = Reviews(), Reviews()
    for each in log:
        once.put(each)
    for each in log[:kept]:
        restored.put(each)
    restored = Reviews(json.loads(json.dumps(restored.state())))
    for each in [*log[:kept], *log[kept:], *log]:
        restored.put(each)
    assert restored.state() == once.state()


@pytest.mark.parametrize("wrong", [review(digest=None), review(None), review(kind="cancel")])
def test_a_review_that_does_not_say_of_what_is_refused(wrong: PostCommand) -> None:
    with pytest.raises(RecordFault, match="is no review; give the digest"):
        Reviews().put(wrong)


@pytest.mark.parametrize(
    ("approval", "pipeline", "decided", "standing"),
    [
        ("auto", "accepted", None, "approved"),
        ("auto", None, None, "approved"),
        ("auto", "rejected", None, "waiting"),
        ("auto", "rejected", "accepted", "approved"),
        ("auto", "accepted", "rejected", "rejected"),
        ("approve", "accepted", None, "waiting"),
        ("approve", None, None, "waiting"),
        ("approve", "accepted", "accepted", "approved"),
        ("approve", "rejected", "rejected", "rejected"),
        ("hold", "accepted", None, "waiting"),
        ("hold", "accepted", "accepted", "approved"),
    ],
)
def test_a_review_decides_and_without_one_the_mode(
    approval: Approval, pipeline: Decision | None, decided: Decision | None, standing: Standing
) -> None:
    assert standing_of(approval, pipeline, decided) == standing


def test_ids_follow_from_what_they_are_of() -> None:
    assert publication_of_draft("d") == publication_of_draft("d") != publication_of_draft("e")
    assert len({command_of("propose", "e"), command_of("review", "e"), publication_of_draft("e")}) == 3
