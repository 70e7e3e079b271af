"""The commands `rebuild`: a store made again from the beginning of the log, beside the live one, then put in its place.

Start with commands.py; each store's own part is in its room (sinks/postgres/rebuilding, sinks/qdrant/rebuild.py).
"""
