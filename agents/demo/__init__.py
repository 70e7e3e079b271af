"""The demo: the whole main path on the embedded stack, watched through the topics alone.

Not here: the work itself (the agents and sinks run as workers). Start with session.py; commands.py is its command.
"""
