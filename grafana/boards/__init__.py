"""The dashboards, one file each: which panels they have and what those ask.

Not here: how a panel looks (grafana/panels.py), and how JSON is made of it (grafana/classic.py, grafana/resource.py).
Start with business.py.
"""
