"""Series for Prometheus: business KPIs and exact counters, folded from the log and right again after a restart.

Not here: the metrics of workers (streams/metrics.py). Start with stage.py; exposition.py is what is shown.
"""
