"""The command group `threads-agent bench`."""

from __future__ import annotations

from streams.cli.lazy_group import SourcedGroup

BENCHMARKS = {
    "kpis": "tests.benchmarks.kpis_command:kpis",
    "generation": "tests.benchmarks.generation.command:generation",
    "gateway": "tests.benchmarks.gateway.command:gateway_command",
    "import": "tests.benchmarks.import_command:import_command",
    "insights": "tests.benchmarks.insights.command:insights",
    "learning": "tests.benchmarks.learning.command:learning",
    "latency": "tests.benchmarks.latency_command:latency",
    "curve": "tests.benchmarks.curve_command:curve",
    "recovery": "tests.benchmarks.recovery_command:recovery",
    "scale": "tests.benchmarks.scale_command:scale",
    "week": "tests.benchmarks.week.command:week",
    "replay": "tests.benchmarks.replaying.command:replay",
    "savings": "tests.benchmarks.savings.command:savings",
}

bench = SourcedGroup(
    "bench",
    BENCHMARKS,
    help="Measure the platform on this machine, with a broker of its own: nothing else must run for figures that last.",
    epilog="Example: threads-agent bench kpis --events 1000000",
)
