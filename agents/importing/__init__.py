"""Import of history from files and queries into the topics, each count once however often and broken off it is tried.

Not here: the producer and the codec (streams/kafka, schemas). Start with run.py; rows.py reads what cells/ says of each
cell, decisions/ finds what changes, events.py makes events.
"""
