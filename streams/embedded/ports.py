"""Ports: free ones below the ephemeral range, so that no client's own outgoing port can take them."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from streams.errors import SettingsError

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 15_000
ATTEMPTS = 200
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_EPHEMERAL_START = 32_768


def _ephemeral_start() -> int:
    try:
        start = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL_EPHEMERAL_START
    return start if start > LOWEST_PORT + ATTEMPTS else _USUAL_EPHEMERAL_START


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_listening(port: int, timeout_s: float = 0.5) -> bool:
    """Tell whether something accepts connections on the loopback port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout_s).close()
    except OSError:
        return False
    return True


def free_port(last: int | None = None) -> int:
    """Return a free loopback port: `last` if it still is one, else a random one.

    It lies below the kernel's ephemeral range: a client that reconnects to a server that is away would sooner or
    later draw the server's port as its own source port, connect to itself and keep the server from coming back.

    Raises:
        SettingsError: no free port was found.
    """
    if last is not None and is_free(last):
        return last
    for _ in range(ATTEMPTS):
        port = random.randrange(LOWEST_PORT, _ephemeral_start())  # noqa: S311 - any free port does
        if is_free(port):
            return port
    raise SettingsError(f"No free port found between {LOWEST_PORT} and {_ephemeral_start()}; stop some servers")


def fixed_port(port: int, setting: str) -> int:
    """Return the port a setting demands.

    Raises:
        SettingsError: something else listens on it; the message names the port and the setting.
    """
    if is_free(port):
        return port
    raise SettingsError(f"Port {port} is in use by another program: free it, or set {setting} to another port or to 0")
