"""The way to a language model: the real openai client, retries and breakers, batches and embeddings.

Not here: what the model is asked (agents/generation), its cache (agents/caching) and its price (agents/costs).
Start with client.py.
"""
