"""The metrics server: /metrics over HTTP, and pages of JSON beside it, such as those that tell of health."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from socketserver import ThreadingMixIn
from types import MappingProxyType
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from streams.errors import SettingsError, Unavailable

PATH = "/metrics"
REQUEST_TIMEOUT_S = 10
STOP_POLL_S = 0.05

Page = Callable[[], tuple[HTTPStatus, Mapping[str, Any]]]
"""What a path answers: a status and what stands in its JSON."""

NO_PAGES: Mapping[str, Page] = MappingProxyType({})


class _QuietHandler(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the signature of the base
        """Log no scrape."""


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True


def _refused(status: HTTPStatus, reason: str, start_response: StartResponse) -> Iterable[bytes]:
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{reason}\n".encode()]


def _json(page: Page, start_response: StartResponse) -> Iterable[bytes]:
    status, content = page()
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
    return [json.dumps(content).encode() + b"\n"]


class MetricsServer:
    """Serve what collectors yield, on a thread of its own, until `close`."""

    def __init__(
        self, *collectors: Collector, host: str, port: int, port_setting: str, pages: Mapping[str, Page] = NO_PAGES
    ) -> None:
        """Listen at once; port 0 takes a free one, `port_setting` is the variable that it comes from.

        A collector that raises `Unavailable` is a 503, which Prometheus shows as a target that is down.

        Raises:
            SettingsError: another program has the port.
        """
        self._host = host
        registry = CollectorRegistry()
        for collector in collectors:
            registry.register(collector)
        metrics = make_wsgi_app(registry)

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if (page := pages.get(environ["PATH_INFO"])) is not None:
                return _json(page, start_response)
            if environ["PATH_INFO"] != PATH:
                beside = f", health at {' and '.join(pages)}" if pages else ""
                return _refused(HTTPStatus.NOT_FOUND, f"the metrics are at {PATH}{beside}", start_response)
            try:
                return cast("Iterable[bytes]", metrics(environ, start_response))
            except Unavailable as error:
                return _refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error), start_response)

        try:
            self._server = make_server(host, port, app, _ThreadingServer, _QuietHandler)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise SettingsError(
                f"port {port} can't be taken for {PATH} ({error.strerror}): "
                f"set {port_setting} to another port, or to 0 for a free one"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": STOP_POLL_S}, name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the address of the metrics."""
        return f"http://{self._host}:{self._server.server_port}{PATH}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(REQUEST_TIMEOUT_S)
