"""Which topics and records a caller sees: those of its personas; what names none is for callers of all tenants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from agents.deduplication.reasons import without_strangers
from agents.gateway.auth.caller import ALL_TENANTS, Caller
from agents.gateway.live.listener import Sees
from agents.gateway.problems import not_found
from schemas.catalogue import CATALOGUE, Topic, topic_named

SECRET_BEARING = ("gateway.", "webhooks.", "platform.accounts")
"""Digests of tokens, keys of signatures, tokens of platforms, encrypted: for admins of the platform."""


class _SeesPersonas(Protocol):
    def visible(self, caller: Caller, persona_id: str) -> bool: ...


class _HasPersonas(Protocol):
    @property
    def personas(self) -> _SeesPersonas: ...


def topics_seen(caller: Caller) -> Sequence[Topic]:
    """Return the topics that a caller may look into."""
    return [topic for topic in CATALOGUE if _may_read(caller, topic.name)]


def require_topic(caller: Caller, name: str) -> Topic:
    """Return a topic of the catalogue.

    Raises:
        Refused: there is none of this name that the caller may look into.
    """
    if not _may_read(caller, name):
        raise not_found("topic", name, "/v1/topics")
    try:
        return topic_named(name)
    except KeyError:
        raise not_found("topic", name, "/v1/topics") from None


def seen_by(gateway: _HasPersonas, caller: Caller) -> Sees:
    """Return which records a caller sees."""
    if caller.tenant == ALL_TENANTS:
        return lambda _topic, _persona_id: True
    personas = gateway.personas
    return lambda _topic, persona_id: persona_id is not None and personas.visible(caller, persona_id)


def names_seen(gateway: _HasPersonas, caller: Caller) -> Callable[[str], str] | None:
    """Return what takes the personas of others out of a text, None for who sees all.

    Drafts are compared across tenants, and the reason of a duplicate says of whom it is.
    """
    if caller.tenant == ALL_TENANTS:
        return None
    personas = gateway.personas
    return lambda text: without_strangers(text, lambda persona_id: personas.visible(caller, persona_id))


def _may_read(caller: Caller, topic: str) -> bool:
    return not topic.startswith(SECRET_BEARING) or (caller.may("admin") and caller.tenant == ALL_TENANTS)
