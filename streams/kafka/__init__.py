"""Plain Kafka clients: the cluster's handle, producer, range reader, tailed tables and topic administration.

No consumer groups, checkpoints or state (streams/engine/) and no schemas (schemas/).
Start with cluster.py (what all clients take), producer.py (what is durable when), log_reader.py (ranges without a
group) and tailed_table.py (knowing what a topic says).
"""

import logging

# Our errors say what failed; without a handler of the application's, aiokafka's lines would go to stderr beside them.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())
