"""Embedded Prometheus: it scrapes the sink and all workers, and watches over the alert rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import yaml

from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Launch
from streams.embedded.server import Server, answers

SCRAPE_INTERVAL_S = 2
RETENTION = "30d"
CONFIGURATION, TARGETS, RULES = "prometheus.yml", "targets.json", "alerts.yml"


def render_configuration(alertmanager_url: str | None = None) -> str:
    """Render prometheus.yml: its rules and its targets are files next to it; targets may change while it runs."""
    interval = f"{SCRAPE_INTERVAL_S}s"
    job = {"job_name": "threads-agent", "file_sd_configs": [{"files": [TARGETS], "refresh_interval": interval}]}
    times = {"scrape_interval": interval, "evaluation_interval": interval}
    configuration: dict[str, object] = {"global": times, "rule_files": [RULES], "scrape_configs": [job]}
    configuration["storage"] = {"tsdb": {"out_of_order_time_window": RETENTION}}  # history comes after the present
    if alertmanager_url is not None:
        configuration["alerting"] = {"alertmanagers": [_alertmanager(alertmanager_url)]}
    return yaml.safe_dump(configuration, sort_keys=False)


def _alertmanager(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "scheme": parts.scheme,
        "path_prefix": parts.path or "/",
        "static_configs": [{"targets": [parts.netloc]}],
    }


@dataclass(frozen=True, slots=True)
class Target:
    """A URL of metrics; its series get the label `role` where one is given."""

    url: str
    role: str | None = None


def render_targets(targets: Sequence[Target]) -> str:
    """Render the file of targets; an empty list where there is none yet."""
    return json.dumps([_group(target) for target in targets])


def _group(target: Target) -> dict[str, object]:
    url = urlsplit(target.url)
    labels = {"__metrics_path__": url.path if len(url.path) > 1 else "/metrics"}
    if target.role is not None:
        labels["role"] = target.role
    return {"targets": [url.netloc], "labels": labels}


class PrometheusServer(Server):
    """A Prometheus with its data in `folder`, which watches over `rules`, the text of a rules file."""

    role: ClassVar[str] = "prometheus"

    def __init__(
        self, program: Path, folder: Path, port: int, *, rules: str = "", alertmanager_url: str | None = None
    ) -> None:
        """Take where alerts are sent to; without a URL they are shown at its own page /alerts alone."""
        self.program = program
        self.folder = folder.absolute()
        self.port = port
        self._rules = rules
        self._alertmanager_url = alertmanager_url

    @property
    def address(self) -> str:
        """Return the server's URL."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def endpoints(self) -> dict[str, str]:
        """Return the server's URL."""
        return {"prometheus": self.address}

    def prepare(self) -> None:
        """Write the configuration; targets stay those of the last run until `scrape` names new ones."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / RULES).write_text(self._rules, encoding="utf-8")
        (self.folder / CONFIGURATION).write_text(render_configuration(self._alertmanager_url), encoding="utf-8")
        if not (self.folder / TARGETS).exists():
            self.scrape(())

    def scrape(self, targets: Sequence[Target]) -> None:
        """Scrape these from now on; Prometheus notices within seconds."""
        wanted, file = render_targets(targets), self.folder / TARGETS
        if file.exists() and file.read_text(encoding="utf-8") == wanted:
            return
        fresh = file.with_suffix(".new")
        fresh.write_text(wanted, encoding="utf-8")
        fresh.replace(file)

    def launch(self) -> Launch:
        """Return Prometheus's command line."""
        options = {
            "config.file": CONFIGURATION,
            "storage.tsdb.path": "data",
            "storage.tsdb.retention.time": RETENTION,
            "web.listen-address": f"{LOOPBACK}:{self.port}",
            "log.level": "warn",
        }
        flags = (f"--{name}={value}" for name, value in options.items())
        return Launch((str(self.program), *flags, "--web.enable-remote-write-receiver"), self.folder)

    def is_ready(self) -> bool:
        """Tell whether it is ready to serve queries."""
        return answers(f"{self.address}/-/ready")
