"""What each platform can do, as data with source and date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from agents.personas.strict_yaml import read_strict
from streams.errors import SettingsError

CAPABILITY_FILE = Path(__file__).with_name("capabilities.yaml")
CountedAs = Literal["utf8_emoji", "graphemes", "characters"]
Metric = Literal["views", "likes", "replies", "reposts", "quotes", "shares"]
METRICS: tuple[str, ...] = get_args(Metric)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can do.

    `text_limit` is in units of `counted_as`: `utf8_emoji` counts an emoji as its UTF-8 bytes and anything else as one,
    `graphemes` what a reader takes for a character, `characters` these too, but a link as 23 and a mention without its
    server, as Mastodon does. `max_bytes` limits the text's UTF-8 besides. `reply_controls` are who may be let reply.
    Without `has_link_cards` a link beside the text is no card under it, but goes to the text's end.
    """

    text_limit: int
    counted_as: str
    max_links: int | None
    has_containers: bool
    has_threads: bool
    has_topic_tags: bool
    has_reply_control: bool
    has_delete: bool
    has_views: bool
    has_clicks: bool
    metrics: tuple[str, ...]
    source: str
    as_of: str
    max_bytes: int | None = None
    reply_controls: tuple[str, ...] = ()
    has_link_cards: bool = True


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text_limit: Annotated[int, Field(ge=1)]
    counted_as: CountedAs
    max_bytes: Annotated[int, Field(ge=1)] | None
    max_links: Annotated[int, Field(ge=0)] | None
    has_containers: bool
    has_threads: bool
    has_topic_tags: bool
    has_reply_control: bool
    reply_controls: tuple[str, ...]
    has_delete: bool
    has_views: bool
    has_clicks: bool
    has_link_cards: bool
    metrics: tuple[Metric, ...]
    source: Annotated[str, Field(pattern="^https://")]
    as_of: date

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.has_views != ("views" in self.metrics):
            raise ValueError("has_views must say whether views stands among the metrics")
        if self.has_reply_control != bool(self.reply_controls):
            raise ValueError("has_reply_control must say whether there are reply_controls")
        return self

    def capabilities(self) -> Capabilities:
        return Capabilities(**{**self.model_dump(), "as_of": self.as_of.isoformat()})


_TABLE = TypeAdapter(dict[str, _Row])


def read_capabilities(path: Path = CAPABILITY_FILE) -> dict[str, Capabilities]:
    """Return the capabilities of each platform by its name.

    Raises:
        SettingsError: the file is not such a table; the message says where.
    """
    document = read_strict(path.read_text(encoding="utf-8"))
    if document.repeated_keys:
        raise SettingsError(f"{path}: {'; '.join(document.repeated_keys)}; leave one of the two")
    try:
        rows = _TABLE.validate_python(document.content)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise SettingsError(f"{path} is no table of capabilities: {found}; mend these places") from error
    return {name: row.capabilities() for name, row in rows.items()}


@cache
def all_capabilities() -> Mapping[str, Capabilities]:
    """Return the capabilities of each platform that there is a client for, by its name."""
    return read_capabilities()


def capabilities_of(platform: str) -> Capabilities:
    """Return what a platform can do.

    Raises:
        SettingsError: there is no client for such a platform.
    """
    found = all_capabilities().get(platform)
    if found is None:
        known = ", ".join(sorted(all_capabilities()))
        raise SettingsError(f"expected a platform that there is a client for ({known}), got {platform!r}")
    return found
