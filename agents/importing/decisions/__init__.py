"""What an import changes of what is known, decided on the ledger before anything is sent, exact through crashes.

Not here: reading files. Start with planning.py, which is pure; ledger.py says when a decision is in force.
"""
