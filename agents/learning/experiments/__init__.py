"""Experiments: hook styles of a persona compared by chance, looked at at any time, with a stated error.

Start with experiment_states.py.
"""
