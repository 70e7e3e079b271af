"""Settings of a test by their names, whatever groups they stand in."""

from __future__ import annotations

from typing import Any

from streams.settings import Settings, group_kinds


def settings_with(**values: Any) -> Settings:
    """Return settings with these values; a name of no group is refused."""
    given = {
        kind: {name: values.pop(name) for name in list(values) if name in kind.model_fields} for kind in group_kinds()
    }
    return Settings(**values).having(*(kind(**some) for kind, some in given.items()))
