"""The sink to Grafana Live against a server on loopback: right path, token and lines; patient with a busy one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.records import KpiUpdate
from sinks.grafana_live.grafana import MAX_LINES, Grafana, GrafanaRefused
from sinks.grafana_live.settings import GrafanaSettings
from sinks.grafana_live.stage import GrafanaLiveStage
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.errors import Unavailable
from streams.json_records import parse_record
from tests.support.grafana_server import GrafanaServer
from tests.support.stage_driver import DrivenStage
from tests.support.until import until

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "kpi.updates.json"
SOURCES = [TopicPartition("kpi.updates", number) for number in (0, 1)]
TIMEOUT_S = 10.0


@pytest.fixture
async def server() -> AsyncIterator[GrafanaServer]:
    async with GrafanaServer().running() as running:
        yield running


def settings_of(server: GrafanaServer, token: str = "glsa_right") -> GrafanaSettings:
    return GrafanaSettings(grafana_url=f"{server.url}/", grafana_token=SecretStr(token))


def stage_of(server: GrafanaServer, timeout_s: float = TIMEOUT_S) -> DrivenStage[GrafanaLiveStage]:
    return DrivenStage(GrafanaLiveStage(Grafana(settings_of(server), timeout_s)))


def update(persona: str = "ada", window: str = "24h", minute: int = 0, views: int = 0) -> KpiUpdate:
    golden = parse_record(KpiUpdate, GOLDEN.read_text(encoding="utf-8"))
    assert isinstance(golden, KpiUpdate)
    at = golden.window_end + timedelta(minutes=minute)
    return replace(golden, persona_id=persona, window=window, window_end=at, views=views)


async def fold(stage: DrivenStage[GrafanaLiveStage], *updates: KpiUpdate, source: TopicPartition = SOURCES[0]) -> None:
    assert await stage.add(RowBatch(source, [Row(n, each) for n, each in enumerate(updates)])) == ()


def views(server: GrafanaServer) -> list[tuple[str, str, int]]:
    return [(each["measurement"], each["tags"]["persona_id"], each["fields"]["views"]) for each in server.lines]


async def test_of_each_persona_and_window_the_newest_update_is_pushed_once(server: GrafanaServer) -> None:
    stage = stage_of(server)
    await fold(
        stage, update(views=1), update(minute=2, views=3), update(minute=1, views=2), update(window="1h", views=9)
    )
    await fold(stage, update("bea", minute=5, views=7), source=SOURCES[1])
    await stage.flush()
    await stage.flush()
    assert sorted(views(server)) == [("kpi_1h", "ada", 9), ("kpi_24h", "ada", 3), ("kpi_24h", "bea", 7)]
    assert [each["time"] for each in server.lines] == sorted(each["time"] for each in server.lines)
    assert {stream for stream, _ in server.pushes} == {"threads"}
    assert server.content_types == {"text/plain"}
    await stage.close()


async def test_there_is_one_connection_and_one_request_at_a_time_however_much_is_pushed(server: GrafanaServer) -> None:
    grafana = Grafana(settings_of(server), TIMEOUT_S)
    lines = [f"kpi_24h,persona_id=p{n} views={n}i {n}" for n in range(2 * MAX_LINES + 1)]
    await asyncio.gather(grafana.push(lines), grafana.push(lines))
    assert (len(server.peers), server.most_under_way) == (1, 1)
    assert sorted(len(pushed) for _, pushed in server.pushes) == [1, 1, *[MAX_LINES] * 4]
    await grafana.close()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 302, 404])
async def test_what_a_busy_grafana_did_not_take_is_pushed_when_it_does(server: GrafanaServer, status: int) -> None:
    server.answers = [status]
    stage = stage_of(server)
    await fold(stage, update(views=1))
    with pytest.raises(Unavailable, match=f"answered {status}") as error:
        await stage.flush()
    assert error.value.retry_after_s == (7.0 if status in (429, 500, 502, 503) else None)
    await fold(stage, update(minute=1, views=2))
    await stage.flush()
    assert views(server) == [("kpi_24h", "ada", 2)]
    await stage.close()


async def test_a_grafana_that_never_answers_is_given_up_in_time(server: GrafanaServer) -> None:
    server.gate.clear()
    stage = stage_of(server, timeout_s=0.2)
    await fold(stage, update(views=1))
    with pytest.raises(Unavailable, match="does not answer"):
        await stage.flush()
    server.gate.set()
    await until(lambda: server.under_way == 0)
    await stage.flush()
    assert ("kpi_24h", "ada", 1) in views(server)
    await stage.close()


async def test_a_grafana_that_is_gone_is_told_and_found_again() -> None:
    server = GrafanaServer()
    async with server.running():
        stage = stage_of(server)
    await fold(stage, update(views=1))
    with pytest.raises(Unavailable, match="see that THREADS_GRAFANA_URL names it"):
        await stage.flush()
    await stage.close()


async def test_a_token_that_is_rotated_in_its_file_is_taken_without_a_restart(
    server: GrafanaServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("glsa_right")
    grafana = Grafana(GrafanaSettings(grafana_url=server.url, grafana_token_file=file), TIMEOUT_S)
    await grafana.push(["kpi_24h views=1i 1"])
    server.tokens = {"glsa_next"}
    file.write_text("glsa_next\n")
    await grafana.push(["kpi_24h views=2i 2"])
    assert [each["fields"]["views"] for each in server.lines] == [1, 2]
    await grafana.close()


async def test_a_refused_token_is_waited_for_and_never_shown(server: GrafanaServer) -> None:
    stage = DrivenStage(GrafanaLiveStage(Grafana(settings_of(server, "glsa_wrong"), TIMEOUT_S)))
    await fold(stage, update(views=1))
    with pytest.raises(Unavailable, match=r"refuses the token \(401\).*role Editor") as error:
        await stage.flush()
    assert "glsa_wrong" not in str(error.value)
    server.tokens = {"glsa_wrong"}
    await stage.flush()
    assert views(server) == [("kpi_24h", "ada", 1)]
    await stage.close()


async def test_a_line_that_is_none_is_refused_and_not_repeated(server: GrafanaServer) -> None:
    grafana = Grafana(settings_of(server), TIMEOUT_S)
    with pytest.raises(GrafanaRefused, match="answered 400 to /api/live/push/threads"):
        await grafana.push(["no line"])
    await grafana.close()


async def test_an_annotation_is_written_over_its_span(server: GrafanaServer) -> None:
    grafana = Grafana(settings_of(server), TIMEOUT_S)
    await grafana.annotate("a replay", ["replay"], 1_000, 2_000)
    assert server.annotations == [{"text": "a replay", "tags": ["replay"], "time": 1_000, "timeEnd": 2_000}]
    await grafana.close()
