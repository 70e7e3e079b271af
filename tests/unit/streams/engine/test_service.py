"""Services: ready before the worker goes on, stopped in bounds, and started again when they end by themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.engine import service
from streams.engine.service import ServiceRun, running_service
from streams.errors import SettingsError
from streams.settings import Settings


def run_in(home: Path) -> ServiceRun:
    return ServiceRun(Settings(home=home))


def never(error: BaseException) -> None:
    pytest.fail(f"nothing may fail, got {error!r}")


async def test_it_serves_from_ready_until_it_is_asked_to_stop(tmp_path: Path) -> None:
    told: list[str] = []

    async def serve(run: ServiceRun) -> None:
        told.append("opened")
        run.ready("http://here")
        await run.stopping.wait()
        told.append("closed")

    run = run_in(tmp_path)
    async with running_service(serve, run, asyncio.Event(), never):
        assert (told, run.address) == (["opened"], "http://here")
    assert told == ["opened", "closed"]
    assert not run.is_stuck


async def test_an_error_before_it_is_ready_is_the_workers(tmp_path: Path) -> None:
    async def serve(run: ServiceRun) -> None:
        del run
        raise SettingsError("the port is taken")

    with pytest.raises(SettingsError, match="the port is taken"):
        async with running_service(serve, run_in(tmp_path), asyncio.Event(), never):
            pytest.fail("it is not ready")


async def test_a_service_that_returns_before_it_is_ready_is_an_error(tmp_path: Path) -> None:
    async def serve(run: ServiceRun) -> None:
        del run

    with pytest.raises(RuntimeError, match="without being asked"):
        async with running_service(serve, run_in(tmp_path), asyncio.Event(), never):
            pytest.fail("it is not ready")


@pytest.mark.parametrize("error", [ValueError("a bug"), None])
async def test_an_end_that_nobody_asked_for_is_told(tmp_path: Path, error: Exception | None) -> None:
    failed: asyncio.Queue[BaseException] = asyncio.Queue()
    goes_on = asyncio.Event()

    async def serve(run: ServiceRun) -> None:
        run.ready()
        await goes_on.wait()
        if error:
            raise error

    async with running_service(serve, run_in(tmp_path), asyncio.Event(), failed.put_nowait):
        goes_on.set()
        async with asyncio.timeout(5):
            told = await failed.get()
    assert told is error if error else "without being asked" in str(told)


async def test_a_worker_that_ends_does_not_wait_for_one_that_is_never_ready(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def serve(run: ServiceRun) -> None:
        await run.stopping.wait()

    ended.set()
    async with asyncio.timeout(5), running_service(serve, run_in(tmp_path), ended, never):
        pass


@pytest.mark.parametrize("is_stubborn", [False, True])
async def test_one_that_does_not_stop_is_cancelled_and_told_where_that_does_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_stubborn: bool
) -> None:
    monkeypatch.setattr(service, "STOP_TIMEOUT_S", 0.05)
    monkeypatch.setattr(service, "CANCEL_TIMEOUT_S", 0.05)
    let_go = asyncio.Event()

    async def serve(run: ServiceRun) -> None:
        run.ready()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if is_stubborn:
                await let_go.wait()
            raise

    run = run_in(tmp_path)
    async with running_service(serve, run, asyncio.Event(), never):
        pass
    assert run.is_stuck is is_stubborn
    let_go.set()
