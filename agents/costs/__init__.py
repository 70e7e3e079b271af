"""What model calls cost: a dated price file as data, and integer arithmetic in micro-dollars.

Not here: who spends (agents/generation) and how spending adds up (agents/kpis). Start with prices.py.
"""
