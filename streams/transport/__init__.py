"""How slices come from Kafka: the Faust transport, the group, logs that are made again, the watch over topics.

Not here: what is done with a slice (streams/engine). Start with transport.py.
"""
