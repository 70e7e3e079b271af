"""The command `replay`, and the stores of this house as its targets.

Start with commands.py.
"""
