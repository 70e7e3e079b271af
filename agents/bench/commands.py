"""The command group `threads-agent bench`."""

from __future__ import annotations

import click

from agents.bench.curve_command import curve
from agents.bench.generation.command import generation
from agents.bench.kpis_command import kpis
from agents.bench.latency_command import latency
from agents.bench.recovery_command import recovery
from agents.bench.savings.command import savings
from agents.bench.scale_command import scale


@click.group()
def bench() -> None:
    """Measure the platform on this machine, with a broker of its own: nothing else must run for figures that last."""


for command in (kpis, generation, latency, curve, recovery, scale, savings):
    bench.add_command(command)
