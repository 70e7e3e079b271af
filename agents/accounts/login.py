"""A login in the browser: it leads to the platform, and comes back to a listener on this machine with a code.

The listener is on loopback, takes one login, checks its `state`, and ends, at the latest after its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import html
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit, urlunsplit

from agents.accounts.platform_http import without_secrets
from agents.accounts.token_sources import AccountError

STATE_BYTES = 32
MOST_REQUEST_BYTES = 16 * 2**10
REQUEST_TIMEOUT_S = 10.0
ANSWER_GRACE_S = 1.0
AGAIN = "run `threads-agent accounts add threads` again"


def new_state() -> str:
    """Return what tells our login from one that another page began."""
    return secrets.token_urlsafe(STATE_BYTES)


def code_in(address: str, state: str) -> str:
    """Return the code in the address that a login came back to.

    Raises:
        AccountError: it is another login's, was refused, or holds no code.
    """
    try:
        found = parse_qs(urlsplit(address.strip()).query)
    except ValueError:
        found = {}
    shown = found.get("state", [""])[0]
    if not hmac.compare_digest(shown.encode(), state.encode()):
        raise AccountError(f"the login that came back is not the one that was begun (its state differs); {AGAIN}")
    if "error" in found:
        why = " ".join(found.get("error_description", found["error"]))
        raise AccountError(f"the platform did not grant the permissions: {without_secrets(why, [state])}; {AGAIN}")
    code = found.get("code", [""])[0].removesuffix("#_")
    if not code:
        raise AccountError(f"the login came back without a code; {AGAIN}")
    return code


class LoginListener:
    """Waits for one login at `redirect_url`; `listening` opens it."""

    def __init__(self, redirect_url: str, state: str) -> None:
        self.redirect_url = redirect_url
        self._state = state
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answering: set[asyncio.Task[None]] = set()

    async def code(self, timeout_s: float) -> str:
        """Return the code of the login.

        Raises:
            AccountError: it does not come in time, or is not usable.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self._code), timeout_s)
        except TimeoutError:
            raise AccountError(
                f"no login came back within {timeout_s:g} s; {AGAIN}, with --paste where the browser can't reach "
                "this machine"
            ) from None

    def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; what is no login is told so, and the wait goes on."""
        task = asyncio.get_running_loop().create_task(self._answer(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def close(self) -> None:
        """Let answers under way end, and give up connections on which nothing is asked."""
        if self._answering:
            _, waiting = await asyncio.wait(self._answering, timeout=ANSWER_GRACE_S)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, text = self._taken(head)
                writer.write(_page(status, text))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # no login; the browser says that it did not get through
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _taken(self, head: bytes) -> tuple[HTTPStatus, str]:
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        target = rest.rpartition(" ")[0]
        if method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is taken here."
        if urlsplit(target).path != (urlsplit(self.redirect_url).path or "/"):
            return HTTPStatus.NOT_FOUND, "Nothing is here."
        if self._code.done():
            return HTTPStatus.GONE, "A login came before."
        try:
            self._code.set_result(code_in(target, self._state))
        except AccountError as error:
            self._code.set_exception(error)
            self._code.exception()  # told by `code`, where anybody still waits
            return HTTPStatus.BAD_REQUEST, str(error)
        return HTTPStatus.OK, "The login is taken. Go back to the terminal; this page can be closed."


@asynccontextmanager
async def listening(redirect_url: str, state: str) -> AsyncIterator[LoginListener]:
    """Listen at a redirect URL of this machine; where its port is 0, a free one stands in the listener's.

    Raises:
        AccountError: the URL is not http on loopback, or its port is taken.
    """
    parts = urlsplit(redirect_url)
    host = parts.hostname or ""
    if parts.scheme != "http" or not _is_loopback(host):
        raise AccountError(
            f"no login can be waited for at {redirect_url}: only http on 127.0.0.1 can; use --paste, and give the "
            "address that the browser comes to"
        )
    listener = LoginListener(redirect_url, state)
    try:
        server = await asyncio.start_server(
            listener.answer, "127.0.0.1" if host == "localhost" else host, parts.port or 0, limit=MOST_REQUEST_BYTES
        )
    except OSError as error:
        raise AccountError(
            f"the port of {redirect_url} can't be listened on ({error.strerror}); end what has it, or set "
            "THREADS_REDIRECT_URL, and enter it in your app too"
        ) from error
    port = server.sockets[0].getsockname()[1]
    listener.redirect_url = urlunsplit(parts._replace(netloc=f"{_in_url(host)}:{port}"))
    try:
        yield listener
    finally:
        server.close()
        await listener.close()
        await server.wait_closed()


async def code_by_listening(
    redirect_url: str, timeout_s: float, authorize_url: Callable[[str, str], str], show: Callable[[str], None]
) -> tuple[str, str]:
    """Show the address of the login, wait for it, and return its code and the redirect URL that it was for.

    `authorize_url` makes the address of a redirect URL and a state.

    Raises:
        AccountError: it can't be waited for, does not come in time, or is not usable.
    """
    state = new_state()
    async with listening(redirect_url, state) as listener:
        show(authorize_url(listener.redirect_url, state))
        return await listener.code(timeout_s), listener.redirect_url


def code_by_pasting(
    redirect_url: str, authorize_url: Callable[[str, str], str], show: Callable[[str], None], ask: Callable[[], str]
) -> tuple[str, str]:
    """Show the address of the login, and return the code in the address that a person says it came back to.

    Raises:
        AccountError: that address is not usable.
    """
    state = new_state()
    show(authorize_url(redirect_url, state))
    return code_in(ask(), state), redirect_url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _page(status: HTTPStatus, text: str) -> bytes:
    body = f"<!doctype html><meta charset=utf-8><title>Threads Agent Stack</title><p>{html.escape(text)}".encode()
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "content-type: text/html; charset=utf-8",
        f"content-length: {len(body)}",
        "content-security-policy: default-src 'none'",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
        "connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body
