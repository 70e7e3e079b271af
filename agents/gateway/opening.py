"""Opening the page of the embedded stack, signed in by the token of its home."""

from __future__ import annotations

import html
import os
import webbrowser
from pathlib import Path

from agents.gateway.auth.first_token import FILE_NAME, OWNER_ONLY, read_first_token
from streams.endpoints import read_endpoints
from streams.errors import SettingsError

REDIRECT_NAME = "open-gateway.html"


def page_address(home: Path) -> str:
    """Return the page's address with the token behind #, which browsers send to no server.

    Raises:
        SettingsError: no gateway runs in the home, or it has no token.
    """
    gateway, token = read_endpoints(home).gateway, read_first_token(home)
    if gateway is None:
        raise SettingsError(f"No gateway runs in {home}; start it with `threads-agent up`")
    if token is None:
        raise SettingsError(
            f"{home / FILE_NAME} is not there: the gateway makes it where it starts on the embedded stack; elsewhere "
            "make a token with `threads-agent tokens create`"
        )
    return f"{gateway}/#token={token}"


def opened_in_browser(home: Path, address: str) -> bool:
    """Open an address in the user's browser; tell whether there is one.

    By way of a file that only the owner reads: other users of the machine see the command lines of its programs.
    """
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    path = home / REDIRECT_NAME
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w", encoding="utf-8") as file:
        target = html.escape(address, quote=True)
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={target}"><a href="{target}">Open</a>\n')
    return browser.open(path.absolute().as_uri())
