"""What personas spend, hour by hour: exact sums of cost.events, watched against budgets, and told to who spends.

Not here: prices, and what a budget allows (agents/costs). Start with totals_stage.py, then alerts_stage.py, budgets.py.
"""
