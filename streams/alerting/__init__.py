"""Alerting: the alert rules that Prometheus watches over, a closed list, and the file that it reads them from.

Not here: the rules of agents and sinks, which bring theirs as entry points; the runbooks (grafana/runbooks).
Start with alert.py.
"""
