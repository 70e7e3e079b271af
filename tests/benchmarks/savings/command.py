"""The command `threads-agent bench savings`: what each measure of spending less spares, against what was claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from pydantic import SecretStr

from agents.costs.prices import read_prices
from agents.costs.settings import CostSettings
from streams.settings import current_settings
from tests.benchmarks.printing import print_json, print_results
from tests.benchmarks.savings.measures import CLAIMED, MEASURES, Bill, Measure, bill_of
from tests.benchmarks.savings.metered_model import metered_model
from tests.benchmarks.savings.workload import assignments, requests

COLUMNS = ("measure", "prompt tokens", "completion tokens", "dollars", "spared", "claimed", "drafts")


@click.command("savings", epilog="Example: threads-agent bench savings --requests 500 --repeated 0.6")
@click.option("--requests", "count", default=300, show_default=True, type=click.IntRange(10), help="Requests.")
@click.option(
    "--repeated", default=0.6, show_default=True, type=click.FloatRange(0, 0.95), help="Share that comes again."
)
@click.option("--seed", default=1, show_default=True, type=int, help="Seed of the workload.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def savings(*, count: int, repeated: float, seed: int, as_json: bool) -> None:
    """Write the same requests without any measure, with each, and with tier, cache, template and burst together.

    The model is a server on loopback that counts what it is sent (estimated tokens); prices are those of the settings'
    models on this day. The shares say what a bill would be, not how good the posts are.
    """
    rows = asyncio.run(_measured(count, repeated, seed))
    if as_json:
        print_json({"requests": count, "repeated": repeated, "measures": rows})
        return
    shown = [[row["measure"], *_figures(row), row["drafts"]] for row in rows]
    print_results(f"The bill of {count:,} requests, {repeated:.0%} of them repeated", COLUMNS, shown)


def _figures(row: dict[str, Any]) -> list[object]:
    claimed = row["claimed_share"]
    return [
        row["prompt_tokens"],
        row["completion_tokens"],
        f"{row['micros'] / 1_000_000:.4f}",
        f"{row['spared_share']:.1%}",
        "" if claimed is None else f"{claimed:.0%}",
    ]


async def _measured(count: int, repeated: float, seed: int) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    drafts = assignments(requests(count, repeated, seed, now))
    prices = read_prices(current_settings().of(CostSettings).price_file)
    together: tuple[Measure, ...] = ("tier", "cache", "template", "burst")
    runs: list[tuple[str, Sequence[Measure]]] = [("none", ()), *((each, (each,)) for each in MEASURES)]
    async with metered_model() as base_url:
        key = SecretStr("metered")
        settings = current_settings().model_copy(update={"openai_base_url": base_url, "openai_api_key": key})
        bills = [
            (name, await bill_of(settings, measures, drafts, prices, lambda: now))
            for name, measures in [*runs, ("together", together)]
        ]
    return [_row(name, bill, bills[0][1]) for name, bill in bills]


def _row(name: str, bill: Bill, without: Bill) -> dict[str, Any]:
    return {
        "measure": name,
        "drafts": bill.drafts,
        "prompt_tokens": bill.prompt_tokens,
        "completion_tokens": bill.completion_tokens,
        "micros": bill.micros,
        "spared_share": 1 - bill.micros / without.micros if without.micros else 0.0,
        "claimed_share": CLAIMED.get(name),
    }
