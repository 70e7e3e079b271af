"""Who calls the gateway: service tokens, JWTs of an identity provider, and sessions of browsers.

What a caller may do stands in agents/gateway/access.py. Start with caller.py.
"""
