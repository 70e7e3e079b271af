"""The live feed and the topic browser: what is on the topics, told straight from Kafka.

No numbers from PostgreSQL and no page: those are routes/ and page/. Nothing here writes.
Start with hub.py (one tail a topic for all listeners), then cursor.py (each record once, or a gap) and scan.py.
"""
