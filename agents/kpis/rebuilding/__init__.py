"""The KPI state made again from the beginning of the log, beside the live one, compared with it, and put in its place.

Start with rebuild.py. What an event adds to is not said here but in agents/kpis/counters.py, as for the workers.
"""
