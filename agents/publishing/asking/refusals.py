"""Which commands come too late, or are of another text: said before one is sent, and of those that had no effect. Pure.

The publisher decides by the same rules (publication.py), in the order of its log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.records import PostCommand, PostCommandKind, PublicationState

States = frozenset[PublicationState | None]

STILL_OURS: Final[States] = frozenset(("proposed", "approved", "scheduled", "container_created"))
"""Nothing has been sent out that can't be taken back."""
UNDER_WAY: Final[States] = frozenset(("publishing", "unconfirmed"))
AT_THE_PLATFORM: Final[States] = UNDER_WAY | {"published", "deleted"}
KEPT: Final[States] = frozenset((None,))
"""A draft that the pipeline rejected: nothing is told of it until a review accepts it."""

_DUE_AGAIN: States = STILL_OURS | KEPT | {"failed", "expired"}
_HAS_EFFECT_IN: dict[PostCommandKind, States] = {
    "review": STILL_OURS | KEPT,
    "schedule": _DUE_AGAIN,
    "edit": _DUE_AGAIN,
    "cancel": STILL_OURS | UNDER_WAY,
    "delete": UNDER_WAY | {"published"},
    "retry": frozenset(("failed",)),
}
_DONE: dict[PostCommandKind, str] = {
    "review": "reviewed",
    "schedule": "scheduled",
    "edit": "edited",
    "cancel": "cancelled",
    "delete": "deleted",
    "retry": "retried",
}


def state_of_all(parts: Sequence[PublicationState]) -> PublicationState | None:
    """Return the state of a publication by those of its parts: that of the first which is not published, else so."""
    return next((each for each in parts if each != "published"), "published" if parts else None)


def refusal(
    command: PostCommand,
    parts: Sequence[PublicationState],
    digest: str,
    *,
    retryable: bool | None = None,
) -> str | None:
    """Return why a command has no effect on a publication, and what would have; None where nothing speaks against it.

    `parts` are the states of its parts, `digest` that of its text; `retryable` is what its failure says.
    """
    state, kind = state_of_all(parts), command.kind
    if kind not in _HAS_EFFECT_IN:
        return None
    can_not = f"can't be {_DONE[kind]}"
    has_begun = any(each in AT_THE_PLATFORM for each in parts)
    if state not in _HAS_EFFECT_IN[kind] and not (kind == "delete" and has_begun and state != "deleted"):
        return f"it is {_named(state)} and {can_not}; {_instead(kind, state)}"
    if has_begun and kind in ("review", "edit", "schedule"):
        return f"a part of it is public already, so it {can_not}; cancel what is left of it, or delete it"
    if state == "failed" and kind in ("retry", "schedule") and not retryable:
        return f"it failed in a way that trying again does not mend, so it {can_not}; edit it, or schedule it anew"
    if kind == "review" and command.content_digest != digest:
        return f"the review is of another text than it has now; look at it again: its digest is {digest}"
    return None


def _named(state: PublicationState | None) -> str:
    match state:
        case None:
            return "a draft that was rejected"
        case "publishing":
            return "being published"
        case "unconfirmed":
            return "unconfirmed, so it may be public,"
        case _:
            return state


def _instead(kind: PostCommandKind, state: PublicationState | None) -> str:
    if state in UNDER_WAY:
        return "wait until that is known, or cancel or delete it"
    if kind == "delete":
        return "nothing of it is public" + ("" if state in ("cancelled", "expired", "deleted") else ": cancel it")
    if kind == "cancel" and state != "published":
        return "nothing is left to cancel"
    if state == "published":
        return "delete it, and schedule the text anew where it is wanted otherwise"
    if state in ("failed", "expired"):
        return "schedule or edit it" if kind in ("review", "retry") else "schedule the text anew"
    return "schedule the text anew" if state in ("cancelled", "deleted") else "it has not failed and goes on by itself"
