"""Plain Kafka clients: connection, producer, range reader and topic administration.

No consumer groups, checkpoints or state (streams/engine/) and no schemas (schemas/).
Start with producer.py (what is durable when) and reader.py (reading a range without a group).
"""

import logging

# Our errors say what failed; without a handler of the application's, aiokafka's lines would go to stderr beside them.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())
