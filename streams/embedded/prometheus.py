"""Embedded Prometheus: the one on PATH, or the one fetched into the cache; it scrapes the sink and all workers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import yaml

from streams.embedded.http_probe import answers
from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Launch
from streams.embedded.server import Server

SCRAPE_INTERVAL_S = 2
RETENTION = "30d"
CONFIGURATION, TARGETS = "prometheus.yml", "targets.json"
CACHED = Path("prometheus", "usr", "bin", "prometheus")  # where prometheus_download unpacks it, under the cache


def find_prometheus(cache: Path) -> Path | None:
    """Return the program on PATH, else the one in the cache, else None."""
    on_path = shutil.which("prometheus")
    if on_path:
        return Path(on_path)
    cached = cache / CACHED
    return cached if cached.exists() else None


def render_configuration() -> str:
    """Render prometheus.yml: it scrapes the targets of a file next to it, which may change while it runs."""
    interval = f"{SCRAPE_INTERVAL_S}s"
    job = {"job_name": "threads-agent", "file_sd_configs": [{"files": [TARGETS], "refresh_interval": interval}]}
    times = {"scrape_interval": interval, "evaluation_interval": interval}
    return yaml.safe_dump({"global": times, "scrape_configs": [job]})


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
    """A Prometheus with its data in `folder`."""

    role: ClassVar[str] = "prometheus"

    def __init__(self, program: Path, folder: Path, port: int) -> None:
        self.program = program
        self.folder = folder.absolute()
        self.port = port

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
        (self.folder / CONFIGURATION).write_text(render_configuration(), encoding="utf-8")
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
        return Launch((str(self.program), *(f"--{name}={value}" for name, value in options.items())), self.folder)

    def is_ready(self) -> bool:
        """Tell whether it is ready to serve queries."""
        return answers(f"{self.address}/-/ready")
