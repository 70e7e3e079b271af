"""What a worker tells of the deliveries that it has to make, as it is now."""

from __future__ import annotations

from streams.metrics import Metric

WEBHOOKS_WAITING = Metric("webhooks_waiting", "gauge", (), "Deliveries of webhooks that wait, for their retry too.")
WEBHOOKS_UNDER_WAY = Metric("webhooks_under_way", "gauge", (), "Deliveries of webhooks that are under way.")
WEBHOOKS_OLDEST = Metric(
    "webhooks_oldest_seconds", "gauge", (), "Age of the delivery that has been tried longest, seconds; 0 where none is."
)

METRICS = (WEBHOOKS_WAITING, WEBHOOKS_UNDER_WAY, WEBHOOKS_OLDEST)
