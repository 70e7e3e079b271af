"""Settings: read once from the environment (prefix THREADS_), checked whole, with every problem listed at once.

Those of Kafka and the engine stand here. Agents and sinks bring groups of their own as entry points
(`threads.settings`), which are read and checked together with these.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.errors import SettingsError
from streams.policies import Policies

PREFIX = "THREADS_"
ENTRY_POINTS = "threads.settings"
OF_TESTS = PREFIX + "TEST_SEED"


class SettingsGroup(BaseSettings):
    """Settings that belong together: a field `name` is the variable THREADS_NAME. Group modules import nothing heavy.

    What is given no value when a group is made is read from the environment; a name that is no field is refused.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Return the environment variable of each field."""
        return {name: str(each.validation_alias or PREFIX + name.upper()) for name, each in cls.model_fields.items()}

    def idle_roles(self, settings: Settings) -> Mapping[str, str]:  # noqa: ARG002 - for groups that look at others
        """Return the roles that have nothing to do with these and all settings, each with what to set for them."""
        return {}


Group = TypeVar("Group", bound=SettingsGroup)


class Settings(SettingsGroup):
    """The settings of Kafka, the engine and the embedded stack, and the groups of what else is installed.

    Addresses left empty are those of the embedded stack in `home`.
    """

    _groups: dict[type[SettingsGroup], SettingsGroup] = PrivateAttr(default_factory=dict)

    def of(self, kind: type[Group]) -> Group:
        """Return a group; one that was not given is read from the environment."""
        found = self._groups.get(kind)
        return found if isinstance(found, kind) else kind()

    def having(self, *groups: SettingsGroup) -> Self:
        """Return the same settings with these groups in place of their like."""
        changed = self.model_copy()
        changed._groups = self._groups | {type(each): each for each in groups}  # noqa: SLF001 - a copy of itself
        return changed

    def all_idle_roles(self) -> dict[str, str]:
        """Return the roles that have nothing to do with these settings and all groups, each with what to set."""
        groups = (self.of(kind) for kind in group_kinds())
        return {role: advice for group in groups for role, advice in group.idle_roles(self).items()}

    home: Path = Field(Path(".threads-agent"), description="Folder of the embedded stack: data, logs, endpoints.json.")
    cache: Path = Field(
        Path("~/.cache/threads-agent-stack"), description="Folder of downloaded programs, shared by all homes."
    )
    min_free_bytes: int = Field(
        2**30, ge=0, description="Free space the home's file system must have for `up` to start."
    )
    kafka_port: int = Field(0, ge=0, le=65535, description="Port of the embedded broker; 0 takes a free one.")
    postgres_port: int = Field(0, ge=0, le=65535, description="Port of the embedded PostgreSQL; 0 takes a free one.")
    schemas_port: int = Field(
        0, ge=0, le=65535, description="Port of the embedded schema registry; 0 takes a free one."
    )
    llm_port: int = Field(0, ge=0, le=65535, description="Port of the offline model's server; 0 takes a free one.")
    prometheus_port: int = Field(0, ge=0, le=65535, description="Port of the embedded Prometheus; 0 takes a free one.")

    kafka: str | None = Field(None, description="Bootstrap servers, host:port[,host:port]; empty: the embedded broker.")
    postgres_dsn: SecretStr | None = Field(
        None, description="PostgreSQL DSN, of a server or a pooler in transaction mode; empty: the embedded server."
    )
    qdrant_url: str | None = Field(None, description="Qdrant server URL; empty: the engine embedded in the sink.")
    registry_url: str | None = Field(
        None, description="Confluent-compatible schema registry; empty: the embedded one, else the committed files."
    )
    prometheus_url: str | None = Field(
        None, description="Prometheus server; empty: the embedded one, if `prometheus` is on PATH or was fetched."
    )
    alertmanager_url: str | None = Field(
        None,
        pattern="^https?://[^/]+",
        description="Alertmanager that the embedded Prometheus tells; empty: none, alerts are shown on its own page.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    replication_factor: int = Field(1, ge=1, description="Replicas of topics that `topics create` makes.")
    min_insync_replicas: int | None = Field(
        None,
        ge=1,
        description="Replicas that must have a record before it is acknowledged; empty: as the broker says.",
    )
    partitions: int = Field(4, ge=1, le=1024, description="Partitions of topics that don't say their own.")

    retention: str = Field(
        "forever",
        description="How long topics keep records: forever, 30d, 90d, 365d, or for one TOPIC=90d, with commas between.",
    )

    checkpoint_interval_s: float = Field(0.05, gt=0, le=60, description="Least time between checkpoints.")
    checkpoint_share: float = Field(
        0.1, gt=0, le=1, description="Greatest share of time spent in checkpoints; the interval stretches to keep it."
    )
    checkpoint_max_interval_s: float = Field(2.0, gt=0, le=600, description="Greatest time between checkpoints.")
    checkpoint_max_records: int = Field(500_000, ge=1, description="Records after which a checkpoint is taken at once.")
    checkpoint_max_bytes: int = Field(
        64 * 2**20, ge=2**10, description="Bytes after which a checkpoint is taken at once."
    )
    inflight_max_bytes: int = Field(
        64 * 2**20, ge=2**20, description="Fetched bytes that a role still holds, above which fetching pauses."
    )
    compression: Literal["none", "lz4", "zstd", "gzip"] = Field(
        "none", description="Compression of what is produced; lz4 saves network and disk for some CPU."
    )
    max_record_bytes: int = Field(1 * 2**20, ge=2**10, description="Greatest record that is produced or consumed.")
    fetch_max_records: int = Field(20_000, ge=1, description="Greatest number of records of one slice.")
    session_timeout_s: float = Field(
        30.0, ge=6, le=300, description="Time after which a dead worker's partitions move."
    )
    io_timeout_s: float = Field(30.0, gt=0, le=600, description="Time-out of calls to Kafka, Postgres and Qdrant.")
    watchdog_s: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="Time without progress while records wait, after which a worker ends itself; 0: never.",
    )
    topic_watch_interval_s: float = Field(
        5.0, gt=0, le=60, description="Time between two looks at whether topics have new partitions or were made again."
    )
    duplicate_horizon: int = Field(
        1_000_000,
        ge=0,
        le=2**31,
        description="Offsets of a partition within which an event_id counts once; 12 bytes each.",
    )

    dead_letter_policy: str = Field(
        "park",
        description="What becomes of records that can't be processed: stop, park or drop, as in park,TOPIC=drop.",
    )
    unknown_schema_lookups: int = Field(
        600, ge=1, description="Schema ids a minute that a process asks the registry about at most and are unknown."
    )

    worker_metrics_host: str = Field(
        "127.0.0.1", description="Address that a worker's /metrics listens on; 0.0.0.0 in a container."
    )
    worker_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port of a worker's /metrics; 0 takes a free one, as workers of `up` always do."
    )

    openai_api_key: SecretStr | None = Field(
        None,
        validation_alias="OPENAI_API_KEY",
        description="Key of OpenAI or a compatible server; empty and no base URL: the offline model.",
    )
    openai_base_url: str | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description="Base URL of a compatible server."
    )
    offline_model: str = Field(
        "smollm2",
        min_length=1,
        description="Model without a provider: smollm2, gemma3-270m (Gemma terms), or the path of a GGUF file.",
    )

    @field_validator("dead_letter_policy")
    @classmethod
    def _policies(cls, value: str) -> str:
        Policies(value)
        return value

    @field_validator("min_insync_replicas")
    @classmethod
    def _fewer_than_all(cls, value: int | None, info: ValidationInfo) -> int | None:
        replicas = info.data.get("replication_factor")
        if value is not None and replicas is not None and value > replicas:
            raise ValueError(f"must not be above THREADS_REPLICATION_FACTOR, which is {replicas}")
        return value

    @field_validator("retention")
    @classmethod
    def _for_topics_there_are(cls, value: str) -> str:
        from streams.kafka.retention import parse_retention  # noqa: PLC0415 - it knows all topics

        parse_retention(value)
        return value


@cache
def group_kinds() -> tuple[type[SettingsGroup], ...]:
    """Return the groups of all agents and sinks that are installed, by the names of their entry points.

    Raises:
        SettingsError: one can't be loaded.
    """
    return tuple(_loaded(entry) for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name))


def setting_kinds() -> tuple[type[SettingsGroup], ...]:
    """Return the settings of Kafka and the engine, and all groups."""
    return (Settings, *group_kinds())


def _loaded(entry: EntryPoint) -> type[SettingsGroup]:
    try:
        kind: object = entry.load()
    except Exception as error:
        raise SettingsError(
            f"The settings {entry.name!r} ({entry.value}) can't be loaded, {type(error).__name__}: {error}; "
            "install the package that brings them again, or remove it"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, SettingsGroup)):
        raise SettingsError(f"The settings {entry.name!r} must be a SettingsGroup, {entry.value} is {kind!r}")
    return kind


def read_settings() -> Settings:
    """Read and check all settings.

    Raises:
        SettingsError: lists every unknown name and every bad value, so that one run shows them all.
    """
    problems = list(_misspelt(setting_kinds()))
    settings, groups = _read(Settings, problems), [_read(kind, problems) for kind in group_kinds()]
    if problems or settings is None:
        raise SettingsError("Settings are not usable; correct these environment variables:\n  " + "\n  ".join(problems))
    return settings.having(*(each for each in groups if each is not None))


def _misspelt(kinds: Sequence[type[SettingsGroup]]) -> Iterator[str]:
    known = {variable for kind in kinds for variable in kind.variables().values()} | {OF_TESTS}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            yield f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _read(kind: type[Group], problems: list[str]) -> Group | None:
    try:
        return kind()
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0])
            got = "" if _is_secret(kind, name) else f", got {item['input']!r}"
            problems.append(f"{kind.variables().get(name, name)}: {item['msg']}{got}")
    return None


def _is_secret(kind: type[SettingsGroup], location: str) -> bool:
    """Tell whether a problem is that of a secret; it is found by its alias where it has one."""
    named = {each.validation_alias or name: each for name, each in kind.model_fields.items()}
    field = named.get(location) or kind.model_fields.get(location)
    return field is None or "SecretStr" in str(field.annotation)


@lru_cache(maxsize=1)
def current_settings() -> Settings:
    """Return the settings of this process, read once."""
    return read_settings()
