"""What model calls cost and may cost: prices by date as data, budgets and alerts as pure integer arithmetic.

Not here: who spends (agents/generation), how spending adds up and is watched (agents/spend). Start with prices.py.
"""
