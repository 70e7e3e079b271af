"""From a request to drafts: admission, work at once up to a bound, and what is emitted.

Not here: whether a draft is good (agents/scoring) or new (agents/deduplication).
Three rooms: asking, drafting, kept. Start with stage.py; agents/README.md walks through it.
"""
