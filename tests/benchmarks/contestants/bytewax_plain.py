"""The Bytewax dataflow without its recovery store: nothing is kept across a restart."""

from __future__ import annotations

from tests.benchmarks.contestants.bytewax_flow import run

if __name__ == "__main__":
    run(recovery=False)
