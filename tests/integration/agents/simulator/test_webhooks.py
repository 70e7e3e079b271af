"""Webhooks out: in the documented form, signed, after the handshake; and lost, doubled or late on demand."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.agents.simulator.conftest import User
from tests.support.simulator import RunningSimulator

SECRET = b"simulated-app-secret"
TOKEN = "verify me"
DEADLINE_S = 60.0


@dataclass
class Receiver:
    """Takes what is posted to it, and answers the handshake."""

    url: str = ""
    got: queue.Queue[tuple[bytes, str]] = field(default_factory=queue.Queue)
    refuses: int = 0

    def next(self) -> dict[str, Any]:
        body, signature = self.got.get(timeout=DEADLINE_S)
        assert signature == "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        found: dict[str, Any] = json.loads(body)
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            is_right = query.get("hub.verify_token") == [TOKEN] and query.get("hub.mode") == ["subscribe"]
            self._answer(200 if is_right else 403, query.get("hub.challenge", [""])[0].encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if made.refuses > 0:
                made.refuses -= 1
                self._answer(500, b"")
                return
            made.got.put((body, self.headers["X-Hub-Signature-256"]))
            self._answer(200, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def told(simulator: RunningSimulator, receiver: Receiver) -> Receiver:
    simulator.control("webhooks", {"url": receiver.url, "verify_token": TOKEN})
    return receiver


def test_posts_replies_and_deletions_are_told_in_the_documented_form(
    simulator: RunningSimulator, ada: User, told: Receiver
) -> None:
    post_id = ada.post("Tell")
    published = told.next()
    assert (published["topic"], published["values"]["field"]) == ("interaction", "publish")
    assert published["values"]["value"]["id"] == post_id
    assert "entry" not in published
    answer = simulator.control(f"posts/{post_id}/reply", {"text": "Nice", "username": "reader"})["id"]
    replied = told.next()
    assert (replied["topic"], replied["values"]["field"]) == ("moderate", "replies")
    value = replied["values"]["value"]
    assert (value["id"], value["replied_to"]["id"], value["root_post"]["id"]) == (answer, post_id, post_id)
    ada.answer(ada.client.delete(f"/{post_id}"))
    deleted = told.next()
    assert (deleted["topic"], deleted["values"]["field"]) == ("moderate", "delete")
    assert deleted["values"]["value"]["owner"]["owner_id"] == published["target_id"]


def test_a_receiver_that_fails_is_told_again(ada: User, told: Receiver) -> None:
    told.refuses = 1
    post_id = ada.post("Again")
    assert told.next()["values"]["value"]["id"] == post_id


def test_webhooks_come_twice_late_or_never(simulator: RunningSimulator, ada: User, told: Receiver) -> None:
    simulator.faults("webhook_duplicate", "webhook_lost", "webhook_reorder")
    twice, _, late, last = (ada.post(text) for text in ("twice", "never", "late", "last"))
    assert [told.next()["values"]["value"]["id"] for _ in range(4)] == [twice, twice, last, late]
    simulator.faults("webhook_reorder")
    alone = ada.post("late, with nothing behind it")
    assert told.next()["values"]["value"]["id"] == alone


def test_nothing_is_told_before_the_handshake_is_answered(
    simulator: RunningSimulator, ada: User, receiver: Receiver
) -> None:
    simulator.control("webhooks", {"url": receiver.url, "verify_token": "wrong"})
    first = ada.post("Unheard for now")
    simulator.control("webhooks", {"url": receiver.url, "verify_token": TOKEN})
    assert receiver.next()["values"]["value"]["id"] == first
