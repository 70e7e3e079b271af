"""What benchmarks run on: a broker of their own, loads, worker processes, and what these use and tell.

Not here: what is measured (tests/benchmarks). Start with own_broker.py.
"""
