"""The simulator: Threads without an account, faults included, on loopback.

What lives here: its HTTP interface, its audience and its own truth; nobody here reads or writes a topic. Start with
role.py.
"""
