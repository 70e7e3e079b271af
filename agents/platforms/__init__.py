"""Platforms that posts are published on: one contract, and a client for each.

What lives here: what a platform is asked and what its answers mean; accounts and their tokens do not, nor when what is
published. Start with contract.py.
"""
