"""KPI updates as they are made, pushed to Grafana Live: panels that move without asking.

Not here: history (sinks/postgres, sinks/prometheus), of which Grafana Live keeps none.
Start with stage.py.
"""
