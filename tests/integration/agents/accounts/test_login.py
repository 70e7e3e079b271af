"""A login comes back to a listener on loopback, which takes one, checks it, and ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import httpx
import pytest

from agents.accounts.login import code_by_listening, code_by_pasting, listening
from agents.accounts.token_sources import AccountError

LOOPBACK = "http://127.0.0.1:0/threads"
DEADLINE_S = 60.0


def authorize_url(redirect_url: str, state: str) -> str:
    return f"{redirect_url}|{state}"


async def login_answered(
    *asked: Callable[[str, str], str], timeout_s: float = DEADLINE_S
) -> tuple[list[httpx.Response], tuple[str, str]]:
    """Ask the listener one address after the other, and return its answers, with the login's code and redirect URL."""
    shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(code_by_listening(LOOPBACK, timeout_s, authorize_url, shown.set_result))
    redirect_url, _, state = (await shown).partition("|")
    async with httpx.AsyncClient(timeout=DEADLINE_S, trust_env=False) as browser:
        answers = [await browser.get(make(redirect_url, state)) for make in asked]
    return answers, await waiting


async def test_the_first_login_is_taken_and_nothing_listens_any_more() -> None:
    (nothing, page), (code, redirect_url) = await login_answered(
        lambda url, _: url.replace("/threads", "/favicon.ico"), lambda url, state: f"{url}?code=abc&state={state}#_"
    )
    assert (nothing.status_code, page.status_code, code) == (404, 200, "abc")
    assert "Go back to the terminal" in page.text
    assert "abc" not in page.text
    port = int(redirect_url.rpartition(":")[2].partition("/")[0])
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S):
        pass


async def test_a_login_with_another_state_ends_it() -> None:
    with pytest.raises(AccountError, match="its state differs"):
        await login_answered(lambda url, _: f"{url}?code=abc&state=guessed")


async def test_a_login_that_was_not_granted_says_why() -> None:
    with pytest.raises(AccountError, match="did not grant the permissions: no, thanks"):
        await login_answered(lambda url, state: f"{url}?error=denied&error_description=no,+thanks&state={state}")


async def test_a_login_that_does_not_come_ends_with_what_to_do() -> None:
    with pytest.raises(AccountError, match=r"no login came back within 0.01 s.*--paste"):
        await code_by_listening(LOOPBACK, 0.01, authorize_url, lambda _: None)


async def test_a_connection_on_which_nothing_is_asked_keeps_nobody_waiting() -> None:
    async with listening(LOOPBACK, "ours") as listener:
        port = httpx.URL(listener.redirect_url).port
        idle = await asyncio.open_connection("127.0.0.1", port)
        garbage = await asyncio.open_connection("127.0.0.1", port)
        garbage[1].write(b"\x16\x03\x01 garbage\r\n\r\n")
        assert b"405" in await asyncio.wait_for(garbage[0].read(), DEADLINE_S)
        async with httpx.AsyncClient(trust_env=False) as browser:
            await browser.get(f"{listener.redirect_url}?code=abc&state=ours")
        assert await listener.code(DEADLINE_S) == "abc"
    for _, writer in (idle, garbage):
        writer.close()
        await writer.wait_closed()


async def test_where_it_can_not_listen_it_says_how_to_go_on() -> None:
    with pytest.raises(AccountError, match="--paste"):
        await code_by_listening("https://localhost:9/threads", 1, authorize_url, lambda _: None)
    async with listening(LOOPBACK, "ours") as listener:
        with pytest.raises(AccountError, match="THREADS_REDIRECT_URL"):
            await code_by_listening(listener.redirect_url, 1, authorize_url, lambda _: None)


async def test_the_address_that_a_browser_came_to_can_be_pasted() -> None:
    shown: list[str] = []

    def pasted() -> str:
        return f"https://localhost:9/threads?code=abc&state={shown[0].partition('|')[2]}"

    found = code_by_pasting("https://localhost:9/threads", authorize_url, shown.append, pasted)
    assert found == ("abc", "https://localhost:9/threads")
