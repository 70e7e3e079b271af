"""The bandit: what a persona's hook styles are worth, and which one a draft is asked in.

Start with arms.py.
"""
