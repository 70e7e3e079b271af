"""The checkpointed loop every consumer runs on: slices in, effects made durable, then the acknowledgement.

Not here: what posts, money or KPIs are (agents/), and where state is shown (sinks/). Start with stage.py.
"""
