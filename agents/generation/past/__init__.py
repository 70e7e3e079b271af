"""What a persona posted before, and which of its posts did best.

Not here: how new a draft is (agents/scoring/novelty.py). Start with past_posts.py.
"""
