"""The way to a language model: the real openai client, retries and breakers, response caches and batches.

Not here: what the model is asked (agents/generation) and what it costs (agents/costs). Start with client.py.
"""
