"""The embedded stack: Kafka, PostgreSQL, registry, offline model and Prometheus as supervised child processes.

Not here: the clients that talk to them (streams/kafka, sinks/) and the commands (streams/cli). Start with server.py.
"""
