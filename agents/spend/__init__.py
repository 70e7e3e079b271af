"""What personas spend, hour by hour: exact sums of cost.events, watched against budgets, and told to who spends.

Not here: prices, and what a budget allows (agents/costs). Start with stages.py, then budgets.py.
"""
