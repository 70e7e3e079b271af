"""The memory: stages that materialize topics into Postgres, Qdrant and Prometheus, each in a consumer group of its own.

Not here: what decides (agents/) and what drives the stages (streams/engine). Start with sink.py, then postgres/sink.py.
"""
