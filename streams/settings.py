"""Settings: read once from the environment (prefix THREADS_), checked whole, with every problem listed at once."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from streams.errors import SettingsError

PREFIX = "THREADS_"
Omitted = Literal["temperature", "seed", "response_format", "max_tokens"]


class Settings(BaseSettings):
    """Every setting of the platform. Addresses left empty are those of the embedded stack in `home`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

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
        None, description="Prometheus server; empty: the embedded one, if `prometheus` is on PATH."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    replication_factor: int = Field(1, ge=1, description="Replicas of topics that `topics create` makes.")
    min_insync_replicas: int | None = Field(
        None,
        ge=1,
        description="Replicas that must have a record before it is acknowledged; empty: as the broker says.",
    )
    partitions: int = Field(4, ge=1, le=1024, description="Partitions of topics that don't say their own.")

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
    topic_watch_interval_s: float = Field(
        5.0, gt=0, le=60, description="Time between two looks at whether topics have new partitions or were made again."
    )
    duplicate_horizon: int = Field(
        1_000_000,
        ge=0,
        le=2**31,
        description="Offsets of a partition within which an event_id counts once; 12 bytes each.",
    )

    metrics_host: str = Field(
        "127.0.0.1", description="Address that the Prometheus sink's /metrics listens on; 0.0.0.0 in a container."
    )
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Port of the Prometheus sink's /metrics; 0 takes a free one."
    )
    worker_metrics_host: str = Field(
        "127.0.0.1", description="Address that a worker's /metrics listens on; 0.0.0.0 in a container."
    )
    worker_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port of a worker's /metrics; 0 takes a free one, as workers of `up` always do."
    )
    metrics_window: Literal["1h", "24h", "7d", "30d", "lifetime"] = Field(
        "24h", description="Window of the business gauges."
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
    hook_model: str = Field("gpt-6.1-terra", description="Model for hooks, where a provider is configured.")
    body_model: str = Field("gpt-6-luna", description="Model for bodies, where a provider is configured.")
    price_file: Path | None = Field(
        None, description="Prices of models (YAML); empty: those that come with the program."
    )
    daily_budget_dollars: Decimal | None = Field(
        None,
        ge=0,
        le=1_000_000,
        decimal_places=6,
        description="Model calls of all personas in a UTC day; empty: no limit.",
    )
    hourly_budget_dollars: Decimal | None = Field(
        None,
        ge=0,
        le=1_000_000,
        decimal_places=6,
        description="Model calls of all personas in an hour; empty: no limit.",
    )
    budget_warn: Decimal = Field(
        Decimal("0.80"), gt=0, le=1, decimal_places=6, description="Share of a budget from which its spending is told."
    )
    budget_downgrade: Decimal = Field(
        Decimal("0.85"), gt=0, le=1, decimal_places=6, description="Share from which cheaper models are taken."
    )
    budget_pause: Decimal = Field(
        Decimal("0.95"),
        gt=0,
        le=1,
        decimal_places=6,
        description="Share from which generation pauses till the period ends.",
    )
    spike_factor: int = Field(
        3, ge=2, le=1_000, description="Multiple of the trailing hourly mean that is told as a spike."
    )
    spike_least_dollars: Decimal = Field(
        Decimal("1.00"), ge=0, le=1_000_000, decimal_places=6, description="Least spend of an hour that can be a spike."
    )
    fallback_model: str | None = Field(
        None, description="Model that takes over when those of hooks and bodies are away."
    )
    burst_size: int = Field(
        4, ge=1, le=20, description="Greatest number of drafts of one persona that one structured call writes."
    )
    instruction_tokens: int = Field(
        300, ge=100, description="Tokens of a persona's instructions (estimated), above which examples are left out."
    )
    batch_size: int = Field(
        200, ge=1, le=50_000, description="Requests with deadline tomorrow that make a batch of the batch API."
    )
    batch_wait_s: float = Field(
        600.0, gt=0, le=86_400, description="Time after which a batch is made of fewer requests."
    )
    batch_poll_s: float = Field(30.0, gt=0, le=3_600, description="Time between two looks at the batches under way.")
    moderation: Literal["auto", "provider", "words"] = Field(
        "auto",
        description="Who moderates drafts: the provider, or word lists; auto: OpenAI where it writes.",
    )
    llm_timeout_s: float = Field(60.0, gt=0, le=600, description="Time-out of one model call.")
    llm_omit: Annotated[tuple[Omitted, ...] | None, NoDecode] = Field(
        None,
        description="Parameters that models do not take, with commas between: temperature, seed, response_format, "
        "max_tokens; what a provider refuses is left out by itself.",
    )
    llm_concurrency: int = Field(8, ge=1, le=1024, description="Model calls in flight.")
    llm_cache: Literal["off", "memory", "postgres"] = Field(
        "memory", description="Where answers of models are kept for the same question: in the worker, or shared."
    )
    llm_cache_bytes: int = Field(64 * 2**20, ge=2**10, description="Bytes of answers that the cache keeps.")
    llm_cache_ttl_s: float = Field(
        7 * 86_400.0, gt=0, le=366 * 86_400, description="Age up to which an answer is used."
    )
    llm_semantic_reuse: float | None = Field(
        None,
        ge=0.5,
        le=1,
        description="Cosine similarity from which an answer serves a similar question too; empty: never.",
    )
    quality_threshold: float = Field(0.78, ge=0, le=1, description="Least quality score that passes.")
    embedder: Literal["blend", "wordllama", "ngram", "openai"] = Field(
        "blend", description="What compares drafts: wordllama by meaning, ngram by form, blend both, openai a provider."
    )
    embedding_model: str = Field("text-embedding-3-small", description="Model of the embedder openai.")
    embedding_dimensions: int = Field(
        512, ge=8, le=4096, description="Numbers that are kept of an embedding of the embedder openai."
    )
    duplicate_similarity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Similarity from which a draft repeats its own persona; empty: fitted to the embedder (blend .78).",
    )
    duplicate_similarity_across: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Similarity from which a draft repeats another persona; empty: fitted to the embedder (blend .92).",
    )

    @field_validator("llm_omit", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(name.strip() for name in value.split(",") if name.strip()) or None

    @field_validator("min_insync_replicas")
    @classmethod
    def _fewer_than_all(cls, value: int | None, info: ValidationInfo) -> int | None:
        replicas = info.data.get("replication_factor")
        if value is not None and replicas is not None and value > replicas:
            raise ValueError(f"must not be above THREADS_REPLICATION_FACTOR, which is {replicas}")
        return value

    @field_validator("budget_downgrade", "budget_pause")
    @classmethod
    def _levels_rise(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        below = "budget_warn" if info.field_name == "budget_downgrade" else "budget_downgrade"
        least = info.data.get(below)
        if least is not None and value <= least:
            raise ValueError(f"must be above {PREFIX}{below.upper()}, which is {least}")
        return value


def _misspelt(environment: Mapping[str, str]) -> list[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {PREFIX + "TEST_SEED"}
    problems = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"{name} is not a setting{hint}")
    return problems


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check all settings.

    Raises:
        SettingsError: lists every unknown name and every bad value, so that one run shows them all.
    """
    environment = os.environ if environment is None else environment
    problems = _misspelt(environment)
    settings = None
    try:
        settings = Settings()
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0])
            shown = name if name.isupper() else PREFIX + name.upper()
            problems.append(f"{shown}: {item['msg']}, got {item['input']!r}")
    if problems or settings is None:
        raise SettingsError("Settings are not usable; correct these environment variables:\n  " + "\n  ".join(problems))
    return settings


@lru_cache(maxsize=1)
def current_settings() -> Settings:
    """Return the settings of this process, read once."""
    return read_settings()
