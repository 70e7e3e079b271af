"""The command group `threads-agent bench`."""

from __future__ import annotations

from streams.cli.lazy_group import SourcedGroup

BENCHMARKS = {
    "kpis": "tests.benchmarks.kpis_command:kpis",
    "generation": "tests.benchmarks.generation.command:generation",
    "latency": "tests.benchmarks.latency_command:latency",
    "curve": "tests.benchmarks.curve_command:curve",
    "recovery": "tests.benchmarks.recovery_command:recovery",
    "scale": "tests.benchmarks.scale_command:scale",
    "savings": "tests.benchmarks.savings.command:savings",
}

bench = SourcedGroup(
    "bench",
    BENCHMARKS,
    help="Measure the platform on this machine, with a broker of its own: nothing else must run for figures that last.",
    epilog="Example: threads-agent bench kpis --events 1000000",
)
