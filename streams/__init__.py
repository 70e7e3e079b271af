"""The engine: settings, the checkpointed loop, changelogged state, Kafka clients, the command line, embedded servers.

Not here: posts, personas, money (agents/) and where state is shown (sinks/). Start with engine/stage.py.
"""
