"""The graph from an assignment to a draft: gather, hooks, choose, body, assemble, guard, revise.

Not here: how a model is asked (agents/generation/asking). Start with graph.py.
"""
