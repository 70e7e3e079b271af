"""State keys of counters: what a row of a counter table counts for."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from agents.kpis.windows import Granularity

_LETTER: dict[Granularity, str] = {"minute": "m", "hour": "h", "lifetime": "l"}
_GRANULARITY: dict[str, Granularity] = {letter: granularity for granularity, letter in _LETTER.items()}


class PaneKey(NamedTuple):
    """A persona's pane; `pane` counts whole granules since the epoch, 0 for the lifetime."""

    granularity: Granularity
    pane: int
    persona_id: str

    def text(self) -> str:
        return f"{_LETTER[self.granularity]}|{self.pane}|{self.persona_id}"

    @classmethod
    def parse(cls, text: str) -> PaneKey:
        letter, pane, persona_id = text.split("|", 2)
        return cls(_GRANULARITY[letter], int(pane), persona_id)


class PostKey(NamedTuple):
    """A post of a persona. Ids may hold any text, so the first is preceded by its length."""

    persona_id: str
    post_id: str

    def text(self) -> str:
        return f"{len(self.persona_id)}|{self.persona_id}{self.post_id}"

    @classmethod
    def parse(cls, text: str) -> PostKey:
        length, rest = text.split("|", 1)
        return cls(rest[: int(length)], rest[int(length) :])


def pane_key_column(granularity: Granularity) -> pl.Expr:
    """Return the text of PaneKey, of the columns pane and persona_id."""
    pane = pl.lit("0") if granularity == "lifetime" else pl.col("pane").cast(pl.String)
    return pl.concat_str(pl.lit(_LETTER[granularity] + "|"), pane, pl.lit("|"), pl.col("persona_id"))


def post_key_column() -> pl.Expr:
    """Return the text of PostKey, of the columns persona_id and post_id."""
    persona = pl.col("persona_id")
    return pl.concat_str(persona.str.len_chars().cast(pl.String), pl.lit("|"), persona, pl.col("post_id"))
