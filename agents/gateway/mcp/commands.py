"""The command `threads-agent mcp`."""

from __future__ import annotations

import asyncio

import click


@click.command(epilog="Example: threads-agent mcp")
@click.option("--url", help="Address of the gateway; without it, that of the embedded stack in the home.")
def mcp(*, url: str | None) -> None:
    """Serve the gateway's operations as tools of an AI assistant (MCP) over standard input and output."""
    from agents.gateway.mcp.stdio import serve_stdio
    from streams.settings import current_settings

    asyncio.run(serve_stdio(current_settings(), url))
