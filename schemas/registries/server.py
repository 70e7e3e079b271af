"""Serve the file registry over HTTP: `python -m schemas.registries.server --port 8081 --folder PATH`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aiohttp import web

from schemas.registries.api import RegistryApi
from schemas.registries.file_registry import FileRegistry

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8081
FAILURE_EXIT_STATUS = 2


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m schemas.registries.server", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port to listen on (default: %(default)s)")
    parser.add_argument("--folder", type=Path, required=True, help="folder for versions that clients register")
    options = parser.parse_args(arguments)
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        api = RegistryApi(FileRegistry(options.folder))
        web.run_app(api.application(), host=options.host, port=options.port, print=None, access_log=None)
    except (OSError, ValueError) as error:
        where = f"http://{options.host}:{options.port} from {options.folder}"
        sys.stderr.write(f"The schema registry can't serve {where}: {error}; give another --port or --folder\n")
        return FAILURE_EXIT_STATUS
    return 0


if __name__ == "__main__":
    sys.exit(main())
