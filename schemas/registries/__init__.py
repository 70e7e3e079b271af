"""Which schema an id names: the committed files, and registries over HTTP, of which one is ours.

Not here: how values are read with a schema (schemas/codec). Start with registry.py.
"""
