"""State keys: what a row of counters counts for."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl


class PaneKey(NamedTuple):
    """A persona's block of consecutive panes; `block` numbers them since the epoch."""

    block: int
    persona_id: str

    def text(self) -> str:
        return f"{self.block}|{self.persona_id}"

    @classmethod
    def parse(cls, text: str) -> PaneKey:
        block, persona_id = text.split("|", 1)
        return cls(int(block), persona_id)


class PostKey(NamedTuple):
    """A post of a persona.

    In its text the two ids follow each other; they may hold any text, so the first is preceded by its length.
    """

    persona_id: str
    post_id: str

    @classmethod
    def parse(cls, text: str) -> PostKey:
        length, rest = text.split("|", 1)
        return cls(rest[: int(length)], rest[int(length) :])


def post_key_column() -> pl.Expr:
    """Return the text of PostKey, of the columns persona_id and post_id."""
    persona = pl.col("persona_id")
    return pl.concat_str(persona.str.len_chars().cast(pl.String), pl.lit("|"), persona, pl.col("post_id"))
