"""Cost events over some personas, some sent twice and some of unknown price, and the sums of each once."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from schemas.records import CostEvent
from streams.engine.stage import Output

MODELS = ("gpt-4.1", "gpt-4.1-mini", "gpt-6-luna")
PARTITIONS = 4


@dataclass(frozen=True)
class CostLoad:
    """Events in the order they are sent, and what each once adds up to, in micro-dollars."""

    events: list[CostEvent]
    hour_micros: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    model_micros: Counter[tuple[str, str]] = field(default_factory=Counter)
    unpriced_calls: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def personas(self) -> list[str]:
        return sorted({event.persona_id for event in self.events})

    def outputs(self) -> list[Output]:
        """Return the events as they are sent: one in ten to a partition that its key does not give."""
        return [Output("cost.events", event, _stray(event)) for event in self.events]


def cost_load(seed: int, count: int, personas: int = 12) -> CostLoad:
    """Make events of the last 40 hours: 3 % sent twice, 10 % of unknown price; each load has its own personas."""
    random_ = random.Random(seed)
    name = f"{random_.getrandbits(48):x}"
    now = datetime.now(UTC).replace(microsecond=0)
    load = CostLoad([])
    for _ in range(count):
        persona, model = f"spender-{name}-{random_.randrange(personas)}", random_.choice(MODELS)
        micros = None if random_.random() < 0.1 else random_.randrange(20_000_000)
        event = CostEvent(
            event_id=str(UUID(int=random_.getrandbits(128))),
            occurred_at=now - timedelta(minutes=random_.randrange(40 * 60)),
            persona_id=persona,
            step="body",
            model=model,
            prompt_tokens=random_.randrange(2_000),
            completion_tokens=random_.randrange(500),
            cost_micros=micros,
        )
        load.events.extend([event] * (2 if random_.random() < 0.03 else 1))
        load.hour_micros[persona, event.occurred_at.replace(minute=0, second=0)] += micros or 0
        if micros is None:
            load.unpriced_calls[persona, model] += 1
        else:
            load.model_micros[persona, model] += micros
    return load


def _stray(event: CostEvent) -> int | None:
    number = int(event.event_id[:8], 16)
    return number // 10 % PARTITIONS if number % 10 == 0 else None
