"""Dashboards as code: what Grafana shows, written with grafana-foundation-sdk into dashboards/ and resources/.

Not here: the series (streams/metrics.py and its like in agents and sinks) and the tables (sinks/postgres/migrations).
Start with board.py.
"""
