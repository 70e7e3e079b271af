"""Webhooks: other tools are told of what happens here, signed, again and again until they have taken it.

What lives here: subscriptions, the events they get, signatures, deliveries with their retries; HTTP routes do not.
Start with stage.py.
"""
