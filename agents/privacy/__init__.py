"""Privacy: a persona is erased from everywhere, or exported whole.

Start with erasure.py; what deletes where is told by entry points (streams/erasers.py).
"""
