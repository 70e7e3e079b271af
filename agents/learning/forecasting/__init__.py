"""Forecasts: where a post will be after a day, which topics move, and at which hours posts do well.

Start with early.py.
"""
