"""Identities of publications and of the commands that follow from records: work done twice gives the same ones."""

from __future__ import annotations

from streams.identity import derived_id

ROLE = "publishing"


def publication_of_draft(draft_id: str) -> str:
    """Return the id of the publication of a draft: a draft is published once, whatever is asked how often."""
    return derived_id(ROLE, "publication", draft_id)


def command_of(kind: str, event_id: str) -> str:
    """Return the event_id of the command of a kind that follows from an event, e.g. a decision or a review."""
    return derived_id(ROLE, kind, event_id)
