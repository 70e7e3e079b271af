"""Rewards: what posts of chosen hook styles brought, from the log, and the arms that follow from it.

Start with role.py.
"""
