"""What a model is asked for hooks, bodies and revisions, and what its answer says.

Not here: the way to a model (agents/llm). Start with writer.py.
"""
