"""Rolling KPIs: counters in panes of event time, folded by source partition, merged by persona, told as windows.

Not here: the Postgres history and the gauges (sinks/). Start with windows.py and formulas.py, then fold.py, merge.py.
"""
