"""An Alertmanager with the committed configuration, and a receiver of its webhook on loopback."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import yaml

from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Launch
from streams.embedded.server import Server, answers

COMMITTED = Path(__file__).resolve().parents[2] / "grafana" / "alertmanager.yml"
TEMPLATES = Path("/usr/share/prometheus/alertmanager")
OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")
TIMEOUT_S = 10
SHORT = {"group_wait": "1s", "group_interval": "1s"}


def configuration(webhook_url: str) -> dict[str, Any]:
    """Return the committed configuration with this webhook, in the form of versions before 0.26, and without waits."""
    found: dict[str, Any] = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))
    for receiver in found["receivers"]:
        for webhook in receiver["webhook_configs"]:
            del webhook["url_file"]
            webhook["url"] = webhook_url
    for route in (found["route"], *found["route"]["routes"]):
        route.update(SHORT)
    return found


def is_unpacked(program: Path) -> bool:
    """Tell whether a program of Debian's is not installed: its files lie beside it, not where it looks for them."""
    return (program.parents[1] / "share" / "prometheus").is_dir() and not TEMPLATES.is_dir()


def can_mount() -> bool:
    """Tell whether this account may see other files at a path than others do."""
    done = subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, timeout=TIMEOUT_S, check=False)
    return done.returncode == 0


class AlertmanagerServer(Server):
    """An Alertmanager on loopback, alone, with its data in `folder`."""

    role: ClassVar[str] = "alertmanager"

    def __init__(self, program: Path, folder: Path, port: int, webhook_url: str) -> None:
        self._program = program
        self.folder = folder
        self._port = port
        self._webhook_url = webhook_url

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def endpoints(self) -> dict[str, str]:
        return {}

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(configuration(self._webhook_url))
        (self.folder / "alertmanager.yml").write_text(text, encoding="utf-8")

    def launch(self) -> Launch:
        options = {
            "config.file": "alertmanager.yml",
            "storage.path": "data",
            "web.listen-address": f"{LOOPBACK}:{self._port}",
            "cluster.listen-address": "",
        }
        command = (str(self._program), *(f"--{name}={value}" for name, value in options.items()))
        if is_unpacked(self._program):
            bind = 'mount --bind "$0" /usr/share && exec "$@"'
            command = (*OWN_MOUNTS, "sh", "-c", bind, str(self._program.parents[1] / "share"), *command)
        return Launch(command, self.folder)

    def is_ready(self) -> bool:
        return answers(f"{self.address}/-/ready")


class Receiver:
    """What a webhook was sent, one notification after the other."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.notifications: queue.Queue[dict[str, Any]] = queue.Queue()


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Take what is posted to a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.notifications.put(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        receiver = Receiver(f"http://{LOOPBACK}:{server.server_port}/alerts")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
