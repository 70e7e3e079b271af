"""Rolling KPIs by persona: counters in panes of event time, folded by source partition, merged by persona, shown as windows.

Not here: the Postgres history and the gauges (sinks/). Start with windows.py and formulas.py, then fold.py and merge.py.
"""
