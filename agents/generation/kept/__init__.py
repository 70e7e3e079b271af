"""What is kept of requests and batches: under way, parked, finished; the state brings another worker to the same place.

Not here: when work begins (agents/generation/scheduler.py). Start with entries.py.
"""
