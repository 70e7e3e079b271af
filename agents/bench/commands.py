"""The command group `threads-agent bench`."""

from __future__ import annotations

import click

from agents.bench.kpis_command import kpis
from agents.bench.latency_command import latency


@click.group()
def bench() -> None:
    """Measure the platform on this machine, with a broker of its own: nothing else must run for figures that last."""


bench.add_command(kpis)
bench.add_command(latency)
