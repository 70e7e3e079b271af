"""The entry point of `threads-agent`."""

from __future__ import annotations

import sys
from pathlib import Path

from streams.cli.lazy_group import LazyGroup

CHECKOUT = Path(__file__).resolve().parents[2]
COMMANDS = {
    "up": "streams.cli.up:up",
    "down": "streams.cli.up:down",
    "status": "streams.cli.status:status",
    "worker": "streams.cli.worker:worker",
    "topics": "streams.cli.topics:topics",
    "schemas": "streams.cli.schemas:schemas",
    "produce": "streams.cli.produce:produce",
    "consume": "streams.cli.consume:consume",
    "completion": "streams.cli.completion:completion",
    "dead-letters": "streams.cli.dead_letters:dead_letters",
    "alerts": "streams.cli.alerts:alerts",
    "groups": "streams.cli.groups:groups",
    "runs": "streams.cli.runs:runs",
}

if (CHECKOUT / "tests" / "benchmarks").is_dir():  # benchmarks are a checkout's, not the package's
    sys.path.append(str(CHECKOUT))
    COMMANDS["bench"] = "tests.benchmarks.commands:bench"

main = LazyGroup(
    "threads-agent",
    COMMANDS,
    help="Run AI personas on Threads over Kafka: start the stack, watch it, produce, consume and replay its topics.",
    epilog="Settings are environment variables THREADS_*; the README lists them. Exit status 2: the message says why.",
)

if __name__ == "__main__":
    main()
