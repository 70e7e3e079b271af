"""The vectors of drafts that are to be decided: some texts a call, each draft once, and its cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.costs.prices import PriceList, cost_micros
from agents.embedding.embedding import Embedded, Embedder, Vectors
from agents.llm.answers.reply import Usage
from agents.llm.faults.faults import NoAnswer
from schemas.records import CostEvent, DraftScored
from streams.errors import RecordFault
from streams.identity import derived_id

MOST_UNREAD = 8  # answers for a text that can't be read; the waits between them add up to half a minute
TEXTS_A_CALL = 128  # of 500 characters each: a tenth of what OpenAI takes, and little is lost with a call that fails


@dataclass(frozen=True, slots=True)
class DraftVector:
    """The vector of a draft's text, and the booking where it was paid for."""

    vector: Vectors
    cost: CostEvent | None = None


@dataclass(frozen=True, slots=True)
class DraftRefused:
    """Why a draft's text has no vector, and the booking of the answers that were paid for it in vain."""

    fault: RecordFault
    cost: CostEvent | None = None


@dataclass(slots=True)
class _Vain:
    """What was answered for a draft's text and could not be read: how often, and what it used."""

    times: int = 0
    tokens: int = 0
    is_unknown: bool = False


Found = DraftVector | DraftRefused


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
        self._vain: dict[str, _Vain] = {}

    async def take(self, wanted: Mapping[str, DraftScored]) -> dict[str, Found]:
        """Return the vector of each draft, or why its text has none: it is refused, or no answer could be read.

        Raises:
            Unavailable: some can't be told now; an answer that can't be read is asked for again, `MOST_UNREAD` times.
        """
        self._found = {key: found for key, found in self._found.items() if key in wanted}
        self._vain = {key: vain for key, vain in self._vain.items() if key in wanted}
        missing = [key for key in wanted if key not in self._found]
        for start in range(0, len(missing), TEXTS_A_CALL):
            await self._embed(missing[start : start + TEXTS_A_CALL], wanted)
        taken, self._found, self._vain = self._found, {}, {}
        return taken

    async def _embed(self, keys: Sequence[str], wanted: Mapping[str, DraftScored]) -> None:
        texts = [wanted[key].draft.text for key in keys]
        try:
            embedded = await self._embedder.embed(texts)
        except NoAnswer as unread:
            self._note_unread(keys, texts, unread)
            if min(self._vain[key].times for key in keys) < MOST_UNREAD:
                raise
            for key in keys:
                self._found[key] = DraftRefused(RecordFault(str(unread)), self._unread_cost(key, wanted[key], unread))
            return
        except RecordFault as fault:
            if len(keys) == 1:
                self._found[keys[0]] = DraftRefused(fault)
                return
            for key in keys:  # one of them is refused: find out which
                await self._embed([key], wanted)
            return
        tokens = token_shares(embedded.usage.prompt_tokens if embedded.usage else 0, list(map(len, texts)))
        for key, vector, share in zip(keys, embedded.vectors, tokens, strict=True):
            self._found[key] = DraftVector(vector, self._cost(key, wanted[key], embedded, share))

    def _note_unread(self, keys: Sequence[str], texts: Sequence[str], unread: NoAnswer) -> None:
        usage = unread.reply.usage
        for key, share in zip(keys, token_shares(usage.prompt_tokens, list(map(len, texts))), strict=True):
            vain = self._vain.setdefault(key, _Vain())
            vain.times += 1
            vain.tokens += share
            vain.is_unknown |= usage.is_unknown

    def _cost(self, key: str, scored: DraftScored, embedded: Embedded, tokens: int) -> CostEvent | None:
        """Return the booking of a draft's share, with what was answered for it in vain before; None for no call."""
        if embedded.usage is None:
            return None
        vain = self._vain.get(key, _Vain())
        used = Usage(tokens + vain.tokens, is_unknown=embedded.usage.is_unknown)
        return self._booked(key, scored, embedded.billed_as, used, embedded.latency_ms)

    def _unread_cost(self, key: str, scored: DraftScored, unread: NoAnswer) -> CostEvent:
        vain = self._vain[key]
        return self._booked(key, scored, unread.reply.model, Usage(vain.tokens, is_unknown=vain.is_unknown), 0)

    def _booked(self, key: str, scored: DraftScored, billed_as: str, usage: Usage, latency_ms: int) -> CostEvent:
        now, prices = self._clock(), self._prices
        return embedding_cost(scored, key, billed_as, usage, latency_ms=latency_ms, occurred_at=now, prices=prices)


def token_shares(tokens: int, lengths: Sequence[int]) -> list[int]:
    """Return the tokens of each text of a call by the lengths of the texts; they add up to `tokens` exactly."""
    total, done, shares = sum(lengths), 0, list[int]()
    for index, length in enumerate(lengths):
        given = sum(shares)
        done += length
        shares.append((tokens * done // total if total else tokens * (index + 1) // len(lengths)) - given)
    return shares


def embedding_cost(
    scored: DraftScored,
    wording_key: str,
    billed_as: str,
    usage: Usage,
    *,
    latency_ms: int,
    occurred_at: datetime,
    prices: PriceList,
) -> CostEvent:
    """Return the booking of a draft's share; its id follows from wording and model: a repetition counts once."""
    draft = scored.draft
    return CostEvent(
        event_id=derived_id(wording_key, billed_as, "embedding"),
        occurred_at=occurred_at,
        persona_id=draft.persona_id,
        causation_id=scored.event_id,
        request_id=draft.request_id,
        step="embedding",
        model=billed_as,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=0,
        cost_micros=cost_micros(usage, billed_as, prices, on=occurred_at.date()),
        latency_ms=latency_ms,
    )
