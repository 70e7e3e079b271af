"""The vectors of drafts that are to be decided: some texts a call, each draft once, and its cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.costs.prices import PriceList
from agents.deduplication.embedding import Embedded, Embedder, Vectors
from agents.deduplication.embedding_costs import embedding_cost, token_shares
from schemas.records import CostEvent, DraftScored
from streams.errors import RecordFault

TEXTS_A_CALL = 128  # of 500 characters each: a tenth of what OpenAI takes, and little is lost with a call that fails


@dataclass(frozen=True, slots=True)
class DraftVector:
    """The vector of a draft's text, and the booking where it was paid for."""

    vector: Vectors
    cost: CostEvent | None = None


Found = DraftVector | RecordFault


class DraftVectors:
    """Embeds drafts by wording key.

    What an interrupted run of calls has embedded is kept until it is taken, so that the next attempt pays for the rest
    only.
    """

    def __init__(self, embedder: Embedder, prices: PriceList, clock: Callable[[], datetime]) -> None:
        self._embedder = embedder
        self._prices = prices
        self._clock = clock
        self._found: dict[str, Found] = {}

    async def take(self, wanted: Mapping[str, DraftScored]) -> dict[str, Found]:
        """Return the vector of each draft, or the fault of a text that the provider refuses; `Unavailable` passes."""
        self._found = {key: found for key, found in self._found.items() if key in wanted}
        missing = [key for key in wanted if key not in self._found]
        for start in range(0, len(missing), TEXTS_A_CALL):
            await self._embed(missing[start : start + TEXTS_A_CALL], wanted)
        taken, self._found = self._found, {}
        return taken

    async def _embed(self, keys: Sequence[str], wanted: Mapping[str, DraftScored]) -> None:
        texts = [wanted[key].draft.text for key in keys]
        try:
            embedded = await self._embedder.embed(texts)
        except RecordFault as fault:
            if len(keys) == 1:
                self._found[keys[0]] = fault
                return
            for key in keys:  # one of them is refused: find out which
                await self._embed([key], wanted)
            return
        tokens = token_shares(embedded.usage.prompt_tokens if embedded.usage else 0, list(map(len, texts)))
        for key, vector, share in zip(keys, embedded.vectors, tokens, strict=True):
            self._found[key] = DraftVector(vector, self._cost(key, wanted[key], embedded, share))

    def _cost(self, key: str, scored: DraftScored, embedded: Embedded, tokens: int) -> CostEvent | None:
        if embedded.usage is None:
            return None
        return embedding_cost(scored, key, embedded, tokens=tokens, occurred_at=self._clock(), prices=self._prices)
