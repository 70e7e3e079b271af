"""The series of what surrounds the workers: consumer groups, broker, database and the servers of this machine."""

from __future__ import annotations

from streams.metrics import Metric

CONSUMER_LAG = Metric(
    "kafka_consumergroup_lag",
    "gauge",
    ("consumergroup", "topic", "partition"),
    "Offsets of a partition that a group has not done yet, whether it runs or not; several sinks tell the same.",
)
CONSUMER_LAG_SECONDS = Metric(
    "kafka_consumergroup_lag_seconds",
    "gauge",
    ("consumergroup", "topic", "partition"),
    "Age of the first record that a group has not done yet, seconds; 0 where all are done.",
)
CONSUMER_OFFSET = Metric(
    "kafka_consumergroup_current_offset",
    "gauge",
    ("consumergroup", "topic", "partition"),
    "Offset at which a group goes on; it falls where the group is set back, for a replay.",
)
TOPIC_OFFSET = Metric(
    "kafka_topic_partition_current_offset", "gauge", ("topic", "partition"), "Offset behind the last of a partition."
)
BROKERS = Metric("kafka_brokers", "gauge", (), "Brokers of the cluster that answer.")
LOG_SIZE = Metric(
    "kafka_topic_log_size_bytes", "gauge", ("broker", "topic"), "Size of a topic's logs on a broker's disk, bytes."
)
DATABASE_CONNECTIONS = Metric(
    "pg_stat_database_numbackends", "gauge", ("datname",), "Connections to our database; absent while it is away."
)
DATABASE_SIZE = Metric(
    "pg_database_size_bytes", "gauge", ("datname",), "Size of our database on its disk, bytes; absent while it is away."
)
SERVER_CPU = Metric(
    "embedded_server_cpu_seconds_total",
    "counter",
    ("server",),
    "Processor time that a server of the embedded stack has used, seconds.",
)
SERVER_MEMORY = Metric(
    "embedded_server_resident_memory_bytes",
    "gauge",
    ("server",),
    "Memory that a server of the embedded stack has in use, its children's too, bytes.",
)

METRICS = (
    CONSUMER_LAG,
    CONSUMER_LAG_SECONDS,
    CONSUMER_OFFSET,
    TOPIC_OFFSET,
    BROKERS,
    LOG_SIZE,
    DATABASE_CONNECTIONS,
    DATABASE_SIZE,
    SERVER_CPU,
    SERVER_MEMORY,
)
