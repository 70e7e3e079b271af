"""Kafka and PostgreSQL of the embedded stack answer real clients."""

from __future__ import annotations

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.conftest import Stack


async def test_a_record_sent_to_the_embedded_broker_comes_back(stack: Stack) -> None:
    topic = "embedded.echo"
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"value", key=b"key")
    async with AIOKafkaConsumer(bootstrap_servers=stack.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        record = await consumer.getone()
    assert (record.key, record.value) == (b"key", b"value")


def test_the_embedded_database_is_utf8_in_utc_and_closed_without_the_password(stack: Stack) -> None:
    with psycopg.connect(stack.postgres_dsn) as connection:
        row = connection.execute("select current_setting('TimeZone'), current_setting('server_encoding')").fetchone()
    assert row == ("UTC", "UTF8")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stack.postgres_dsn, password="wrong")
