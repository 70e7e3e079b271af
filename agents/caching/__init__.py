"""Answers of models kept for the same question: in memory or in PostgreSQL, by text or by meaning.

Not here: calls (agents/llm). Start with response_cache.py.
"""
