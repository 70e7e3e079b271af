"""The way to a language model: the real openai client, its faults as ours, and what each call used.

Not here: what the model is asked (agents/generation) and what it costs (agents/costs). Start with client.py.
"""
