"""The routes of the HTTP API: one file a subject, each with a router.

What holds for all of them is in agents/gateway/routing.py. Start with requests.py.
"""
