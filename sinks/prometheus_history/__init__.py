"""KPIs of the past for Prometheus: each update a sample at its own time, by remote write or in a file for promtool.

Start with target.py.
"""
