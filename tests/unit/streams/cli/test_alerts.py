"""`threads-agent alerts` writes the rules, and lists what Prometheus says of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from click.testing import CliRunner

from streams.cli.alerts import alerts
from streams.cli.main import main
from streams.embedded.ports import free_port
from streams.settings import current_settings
from tests.support.printed_commands import parsed, printed

LAG = {
    "labels": {"alertname": "ConsumerLag", "severity": "warning", "consumergroup": "kpis", "topic": "tópico"},
    "annotations": {"summary": "kpis is 2k records behind on tópico", "runbook_url": "books/consumer-lag.md"},
    "state": "firing",
    "activeAt": "2026-11-27T03:00:00Z",
    "value": "2e+03",
}


@contextmanager
def prometheus(body: str, status: int = 200) -> Iterator[str]:
    """Answer /api/v1/alerts as Prometheus does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/api/v1/alerts"
            self.send_response(status if known else 404)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("THREADS_PROMETHEUS_URL", url)
    current_settings.cache_clear()


def answer(*found: object) -> str:
    return json.dumps({"status": "success", "data": {"alerts": found}})


def test_what_fires_is_listed_with_its_summary_and_runbook(monkeypatch: pytest.MonkeyPatch) -> None:
    with prometheus(answer(LAG)) as url:
        use(monkeypatch, url)
        shown = printed(alerts, "list", "--wide")
        [entry] = parsed(alerts, "list")
    assert {"firing", "warning", "ConsumerLag", "books/consumer-lag.md"} <= set(shown.split())
    assert "kpis is 2k records behind on tópico" in shown
    assert (entry["alert"], entry["severity"], entry["since"]) == ("ConsumerLag", "warning", LAG["activeAt"])
    assert entry["labels"] == {"consumergroup": "kpis", "topic": "tópico"}


def test_when_nothing_fires_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with prometheus(answer()) as url:
        use(monkeypatch, url)
        assert printed(alerts, "list") == "no alert is pending or fires\n"
        assert parsed(alerts, "list") == []


@pytest.mark.parametrize(("body", "status"), [("{}", 200), ("no JSON", 200), ("", 503)])
def test_an_answer_that_is_none_of_prometheus_is_said_with_the_address(
    body: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prometheus(body, status) as url:
        use(monkeypatch, url)
        result = CliRunner().invoke(main, ["alerts", "list"])
        assert result.exit_code != 0
        assert url in result.output
        assert "Traceback" not in result.output


def test_a_prometheus_that_is_away_is_said_with_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    use(monkeypatch, url)
    result = CliRunner().invoke(main, ["alerts", "list"])
    assert result.exit_code != 0
    assert url in result.output


def test_without_a_prometheus_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("THREADS_HOME", str(tmp_path))
    current_settings.cache_clear()
    result = CliRunner().invoke(main, ["alerts", "list"])
    assert result.exit_code == 2
    assert "threads-agent up" in result.output


def test_the_rules_have_the_thresholds_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADS_ALERT_LAG_RECORDS", "77")
    current_settings.cache_clear()
    groups = yaml.safe_load(printed(alerts, "rules"))["groups"]
    [lag] = [rule for group in groups for rule in group["rules"] if rule["alert"] == "ConsumerLag"]
    assert lag["expr"].endswith("> 77")
