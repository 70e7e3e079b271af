"""Import of real engagement from CSV files into the topics, each row once however often it is tried.

Not here: the producer and the codec (streams/kafka, schemas). Start with run.py; rows.py reads, events.py makes events.
"""
