"""The ports of a home: fixed by settings, else those of the last start while they are free, else new ones."""

from __future__ import annotations

import json

from filelock import FileLock

from streams.embedded.ports import fixed_port, free_port
from streams.settings import PREFIX, Settings

FILE_NAME = "ports.json"
LOCK_TIMEOUT_S = 10.0


class PortBook:
    """Ports by server name, remembered in `home` so that clients of the last start still find the servers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.home / FILE_NAME
        self._given: set[int] = set()

    def _read(self) -> dict[str, int]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # only a convenience: without it, new ports are taken
            return {}
        return {name: port for name, port in found.items() if isinstance(port, int)} if isinstance(found, dict) else {}

    def port(self, name: str, wanted: int | None = None) -> int:
        """Return the port of a server and remember it; `wanted` is its setting, where no field of ours says it.

        Raises:
            SettingsError: a setting fixes the port and another program listens on it.
        """
        wanted = getattr(self._settings, f"{name}_port", 0) if wanted is None else wanted
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_suffix(".lock"), timeout=LOCK_TIMEOUT_S):  # services of one home take theirs, too
            ports = self._read()
            chosen = fixed_port(wanted, f"{PREFIX}{name.upper()}_PORT") if wanted else free_port(ports.get(name))
            while chosen in self._given:  # free, but promised to a server that does not listen yet
                chosen = free_port()
            self._given.add(chosen)
            self._path.write_text(json.dumps(ports | {name: chosen}), encoding="utf-8")
        return chosen
