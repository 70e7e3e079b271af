"""Accounts on platforms: whose posts they publish, and their tokens, encrypted.

What lives here: the accounts and how they get and keep tokens; calls to platforms do not. Start with directory.py.
"""
