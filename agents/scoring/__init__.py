"""The quality of a draft: named features in [0, 1] with reasons, their weights, and the gates that nothing outweighs.

Not here: how drafts are written (agents/generation) or compared (agents/deduplication). Start with quality.py.
"""
