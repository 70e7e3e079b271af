"""Counters in arrays by table: panes, lifetimes, posts; a row is found by one integer.

Not here: windows and formulas (agents/kpis). Start with counter_table.py.
"""
