"""Publishing: an accepted draft becomes a post exactly once.

What lives here: when a post is due, who approved it, and the states it goes through; what a platform is asked does not
(agents/platforms). Start with publish_stage.py.
"""
