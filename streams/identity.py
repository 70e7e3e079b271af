"""Deterministic identities: the same cause always gives the same id, so that work done twice has the effect of once."""

from __future__ import annotations

from uuid import UUID, uuid5

NAMESPACE = UUID("6b0f1c1e-7d0a-5d5c-9a53-3c0f5f9b7e21")  # of this project; changing it changes every derived id
_SEPARATOR = "\x1f"


def derived_id(*parts: str) -> str:
    """Return the id that follows from the parts: uuid5 in the project's namespace, as text.

    The parts' boundaries count: ("ab", "c") and ("a", "bc") differ. A part may hold any text.

    Raises:
        ValueError: no part was given, which would make every such id the same.
    """
    if not parts:
        raise ValueError("derived_id needs at least one part, e.g. derived_id(request.event_id, 'draft', '0')")
    escaped = (part.replace("\\", "\\\\").replace(_SEPARATOR, "\\u") for part in parts)
    return str(uuid5(NAMESPACE, _SEPARATOR.join(escaped)))
