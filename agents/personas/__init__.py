"""Personas as data: their definition, their YAML files, and the compacted topic that says which one is in force.

Not here: how a persona's posts are written (agents/generation). Start with persona.py.
"""
