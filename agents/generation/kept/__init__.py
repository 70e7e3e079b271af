"""What is kept of requests: calls that were answered, what is parked, what is finished, batches.

Not here: when work begins (agents/generation/scheduler.py). Start with request_book.py.
"""
