"""The guard: what forbids a text to go out, whoever wrote it, and what keeps the texts of strangers mere data.

Not here: whether a text is good (agents/scoring) or new (agents/deduplication). Start with findings.py; untrusted.py.
"""
