"""Learning: of two hooks, which readers take, with a calibrated probability and reasons.

Start with model.py.
"""
