"""From a request to drafts: the graph gather -> hook -> body -> assemble, and the stage that drives it.

Not here: whether a draft is good (agents/scoring) or new (agents/deduplication). Start with role.py, then stage.py.
"""
