"""Who has approved what: reviews are of a text by its digest, so that another text is another approval. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from agents.personas.posting import Approval
from schemas.records import Decision, PostCommand
from streams.errors import RecordFault

Standing = Literal["approved", "rejected", "waiting"]
ReviewState = list[str | int | None]


def content_digest(texts: Sequence[str]) -> str:
    """Return the SHA-256 of the parts of a post, joined by NUL, in UTF-8, as 64 hex digits.

    Of one part it is the digest that a review of a draft names.
    """
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Review:
    """A review that stands for a text."""

    revision: int
    decision: Decision
    reason: str | None
    reviewed_by: str


class Reviews:
    """The reviews of a publication, by the digest of the text that each is of.

    Of one text the greatest revision stands, and of one revision the first in the log, whoever was quicker to look.
    """

    def __init__(self, state: Iterable[ReviewState] = ()) -> None:
        """Begin with what `state` returned."""
        self._standing: dict[str, Review] = {}
        for digest, revision, decision, reason, reviewed_by in state:
            self._standing[str(digest)] = Review(
                int(cast("int", revision)), cast("Decision", decision), cast("str | None", reason), str(reviewed_by)
            )

    def put(self, command: PostCommand) -> bool:
        """Take a review over, in the order of the log; return whether it stands now.

        Raises:
            RecordFault: it does not say of what text it is, or what was decided.
        """
        digest, decision = command.content_digest, command.decision
        if command.kind != "review" or digest is None or decision is None:
            raise RecordFault(
                f"a {command.kind} with content_digest {digest} and decision {decision} is no review; "
                "give the digest of the text that was looked at, and accepted or rejected"
            )
        standing = self._standing.get(digest)
        if standing is not None and standing.revision >= command.revision:
            return False
        self._standing[digest] = Review(command.revision, decision, command.reason, command.requested_by)
        return True

    def of(self, digest: str) -> Review | None:
        """Return the review that stands for a text; None where there is none."""
        return self._standing.get(digest)

    def decision(self, digest: str) -> Decision | None:
        """Return what was decided of a text by hand; None where nothing was."""
        standing = self._standing.get(digest)
        return None if standing is None else standing.decision

    def state(self) -> list[ReviewState]:
        """Return the reviews that stand as JSON-able lists, for `Reviews(...)`."""
        return [
            [digest, each.revision, each.decision, each.reason, each.reviewed_by]
            for digest, each in sorted(self._standing.items())
        ]


def standing_of(approval: Approval, pipeline: Decision | None, review: Decision | None) -> Standing:
    """Return whether a text is approved: a review decides, else under `auto` who wrote it.

    `pipeline` is the decision on the draft; None where a person wrote the text, who approves it by that under `auto`.
    Under `hold` nothing goes on, approved or not: that is for the plan in force to say.
    """
    if review is not None:
        return "approved" if review == "accepted" else "rejected"
    return "approved" if approval == "auto" and pipeline != "rejected" else "waiting"
