"""From a request to drafts: admission, work at once up to a bound, and what is told.

Not here: whether a draft is good (agents/scoring) or new (agents/deduplication).
Four rooms: asking, drafting, kept, past. Start with role.py, then stage.py.
"""
