"""The command group `threads-agent bench`."""

from __future__ import annotations

from streams.cli.lazy_group import SourcedGroup

BENCHMARKS = {
    "kpis": "agents.bench.kpis_command:kpis",
    "generation": "agents.bench.generation.command:generation",
    "latency": "agents.bench.latency_command:latency",
    "curve": "agents.bench.curve_command:curve",
    "recovery": "agents.bench.recovery_command:recovery",
    "scale": "agents.bench.scale_command:scale",
    "savings": "agents.bench.savings.command:savings",
}

bench = SourcedGroup(
    "bench",
    BENCHMARKS,
    help="Measure the platform on this machine, with a broker of its own: nothing else must run for figures that last.",
    epilog="Example: threads-agent bench kpis --events 1000000",
)
