"""The contract of the topics: Avro schemas, typed records, the topic catalogue, codecs and the schema registry.

Nothing here talks to Kafka or knows how records are processed (streams/) or what they are for (agents/, sinks/).
Start with catalogue.py (which topics there are) and avro/ (their fields; generate.py writes records.py from them), then
codec/ (how values become records); engagement.py lists kinds and counters.
"""
