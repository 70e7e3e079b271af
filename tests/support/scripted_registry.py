"""A server on loopback that answers as registries of several makes do, word for word."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: JSON, or bytes as they are; `hangs` after its first bytes, until the server ends."""

    status: int = 200
    content: Any = None
    hangs: bool = False

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()


@dataclass(slots=True)
class Script:
    """What is answered to each path, query included where it is there so; all that was asked for."""

    answers: dict[str, Said]
    otherwise: Said = field(default_factory=lambda: Said(404, {"error_code": 404, "message": "HTTP 404 Not Found"}))
    asked: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str) -> Said:
        self.asked.append(path)
        return self.answers.get(path) or self.answers.get(path.partition("?")[0]) or self.otherwise


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """Serve a script and return its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = script.answer(self.path)
            script.authorizations.append(self.headers["Authorization"])
            self.send_response(said.status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(said.body) + said.hangs))
            self.end_headers()
            self.wfile.write(said.body)
            if said.hangs:
                self.wfile.flush()
                script.over.wait(60)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing: the tests do."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            script.over.set()
            server.shutdown()
            thread.join()
