"""The front door: requests a second and latency of the gateway, beside FastAPI and aiokafka by hand.

Not here: whether its answers are right (tests/integration/agents/gateway). Start with command.py.
"""
