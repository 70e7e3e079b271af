"""Which servers a home needs: those whose address no setting gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streams.alerting.rules_file import render_rules
from streams.embedded.debian_packages import find_program
from streams.embedded.extra import require_extra
from streams.embedded.llm import ModelServer
from streams.embedded.port_book import PortBook
from streams.embedded.prometheus import PrometheusServer
from streams.embedded.registry import RegistryServer
from streams.embedded.server import Server
from streams.settings import Settings

NO_PROMETHEUS = (
    "Prometheus is left out, so there is no history and no alert: put `prometheus` on PATH; "
    "/metrics is served all the same"
)


@dataclass(frozen=True, slots=True)
class Assembly:
    """The servers to run, and lines that tell the operator what is left out and why."""

    servers: tuple[Server, ...]
    remarks: tuple[str, ...]


def qdrant_folder(home: Path) -> Path:
    """Return the folder of the embedded vector engine."""
    return home.absolute() / "qdrant"


def assemble(settings: Settings) -> Assembly:
    """Choose servers and their ports for the settings' home.

    Raises:
        SettingsError: a port fixed by a setting is in use, or the extra `embedded` is needed and not installed.
    """
    require_extra(settings)
    home, cache = settings.home.absolute(), settings.cache.expanduser().absolute()
    ports = PortBook(settings)
    servers: list[Server] = []
    remarks: list[str] = []
    if settings.kafka is None:
        from streams.embedded.kafka import KafkaServer, Node

        node = Node(port=ports.port("kafka"), controller_port=ports.port("kafka_controller"))
        servers.append(KafkaServer(home / "kafka", cache / "jars", node))
    if settings.postgres_dsn is None:
        from streams.embedded.postgres import PostgresServer

        servers.append(PostgresServer(home / "postgres", ports.port("postgres")))
    if settings.registry_url is None:
        servers.append(RegistryServer(home / "schemas", ports.port("schemas")))
    if settings.openai_api_key is None and settings.openai_base_url is None:
        servers.append(ModelServer(home / "llm", ports.port("llm"), settings.offline_model, cache / "models"))
    if settings.prometheus_url is None:
        program = find_program(cache, "prometheus")
        if program:
            servers.append(_prometheus(settings, program, ports.port("prometheus")))
        else:
            remarks.append(NO_PROMETHEUS)
    return Assembly(tuple(servers), tuple(remarks))


def _prometheus(settings: Settings, program: Path, port: int) -> PrometheusServer:
    folder = settings.home.absolute() / "prometheus"
    return PrometheusServer(
        program, folder, port, rules=render_rules(settings), alertmanager_url=settings.alertmanager_url
    )
