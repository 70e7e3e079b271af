"""A range of the log folded into KPIs of its own, beside the live ones: the target `kpis` of `threads-agent replay`.

Start with target.py.
"""
