"""The home and the endpoints: where the servers are - settings first, then what the embedded stack wrote there."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from filelock import FileLock

from streams.errors import SettingsError
from streams.settings import Settings

CHOOSE = "set THREADS_HOME to a folder you can write"
FILE_NAME = "endpoints.json"
LOCK_TIMEOUT_S = 10.0


def make_home(settings: Settings) -> Path:
    """Make the home if it is not there, and return its absolute path.

    Raises:
        SettingsError: it can't be made or written.
    """
    home = settings.home.absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The home {home} can't be made ({error.strerror}); {CHOOSE}") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise SettingsError(f"The home {home} is not writable for this user; {CHOOSE}")
    return home


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of the servers; None where there is none.

    `kafka` is host:port[,host:port], `postgres` a DSN (a secret), `llm` an OpenAI base URL ending in /v1, `qdrant` a
    server's URL or the file URL of the embedded engine's folder, the others are http URLs.
    """

    kafka: str | None = None
    postgres: str | None = None
    qdrant: str | None = None
    llm: str | None = None
    prometheus: str | None = None
    metrics: str | None = None
    schemas: str | None = None
    gateway: str | None = None
    simulator: str | None = None


def read_endpoints(home: Path) -> Endpoints:
    """Return what the embedded stack in `home` wrote; all None where it never ran.

    Raises:
        SettingsError: the file is not a JSON object of texts.
    """
    path = home / FILE_NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Endpoints()
    except OSError as error:
        raise SettingsError(f"{path} can't be read ({error.strerror}); {CHOOSE}") from error
    except ValueError as error:
        raise SettingsError(f"{path} can't be read ({error}); delete it and run `threads-agent up`") from error
    if not isinstance(found, dict):
        raise SettingsError(f"{path} holds no JSON object; delete it and run `threads-agent up`")
    known = {field.name for field in fields(Endpoints)}
    return Endpoints(**{name: value for name, value in found.items() if name in known and isinstance(value, str)})


def write_endpoints(home: Path, endpoints: Endpoints) -> None:
    """Replace the file of `home` in one step, readable by its owner only (the DSN holds a password)."""
    home.mkdir(parents=True, exist_ok=True)
    present = {name: value for name, value in asdict(endpoints).items() if value is not None}
    handle, temporary = tempfile.mkstemp(dir=home, prefix=FILE_NAME)  # mkstemp makes mode 600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(present, file, indent=2)
        file.write("\n")
    Path(temporary).replace(home / FILE_NAME)


def update_endpoints(home: Path, **changes: str | None) -> Endpoints:
    """Change some addresses and keep the others, safe against other processes that do the same; None removes one."""
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / f"{FILE_NAME}.lock", timeout=LOCK_TIMEOUT_S):
        changed = replace(read_endpoints(home), **changes)
        write_endpoints(home, changed)
    return changed


def resolve(settings: Settings) -> Endpoints:
    """Return the addresses to use: a setting wins over the embedded stack in the home."""
    embedded = read_endpoints(settings.home)
    return Endpoints(
        kafka=settings.kafka or embedded.kafka,
        postgres=settings.postgres_dsn.get_secret_value() if settings.postgres_dsn else embedded.postgres,
        qdrant=settings.qdrant_url or embedded.qdrant,
        llm=settings.openai_base_url or (None if settings.openai_api_key else embedded.llm),
        prometheus=settings.prometheus_url or embedded.prometheus,
        metrics=embedded.metrics,
        schemas=settings.registry_url or embedded.schemas,
        gateway=embedded.gateway,
        simulator=embedded.simulator,
    )


def require_kafka(settings: Settings) -> str:
    """Return the bootstrap servers.

    Raises:
        SettingsError: neither configured nor embedded.
    """
    kafka = resolve(settings).kafka
    if kafka is None:
        raise SettingsError(
            "Kafka is not configured: start the embedded stack with `threads-agent up`, or set THREADS_KAFKA=host:port"
        )
    return kafka


def require_postgres(settings: Settings) -> str:
    """Return the PostgreSQL DSN.

    Raises:
        SettingsError: neither configured nor embedded.
    """
    postgres = resolve(settings).postgres
    if postgres is None:
        raise SettingsError(
            "PostgreSQL is not configured: start the embedded stack with `threads-agent up`, or set "
            "THREADS_POSTGRES_DSN=postgresql://user:password@host:port/database"
        )
    return postgres
