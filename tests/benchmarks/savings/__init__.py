"""What each measure of spending less spares: the same requests with and without it, on a model that counts tokens.

Not here: how fast drafts are written (agents/bench/generation). Start with measures.py, then command.py.
"""
