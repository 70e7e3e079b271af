"""Insights: the totals of posts, asked for again and again, become engagement events.

What lives here: when a post is asked for, what two totals differ by; calls to platforms do not. Start with stage.py.
"""
