"""Runs of commands that change state on purpose: each tells who ran it, what it did, how far it came and how it ended.

They stand in the topic operations.runs, the newest step of each run. Start with runs.py.
"""
