"""The Bytewax dataflow with its recovery store on: a snapshot of changed keys each epoch."""

from __future__ import annotations

from tests.benchmarks.contestants.bytewax_flow import run

if __name__ == "__main__":
    run(recovery=True)
