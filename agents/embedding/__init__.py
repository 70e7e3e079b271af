"""Texts as vectors: by meaning, by form, both blended, or by a provider.

Not here: what two vectors say of two drafts (agents/deduplication). Start with embedding.py.
"""
