"""What broker, database and servers say of themselves, asked every few seconds for /metrics of the Prometheus sink.

Not here: what a worker tells of itself (streams/engine/worker_metrics.py).
Start with watch.py.
"""
