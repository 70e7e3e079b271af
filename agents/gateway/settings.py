"""Where the gateway listens, whom it believes, and in what bounds it serves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from streams.settings import SettingsGroup

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class GatewaySettings(SettingsGroup):
    """Where the gateway listens, whom it believes, and in what bounds it serves."""

    gateway_host: str = Field("127.0.0.1", description="Address that the gateway listens on; 0.0.0.0 in a container.")
    gateway_port: int = Field(0, ge=0, le=65535, description="Port of the gateway; 0 takes a free one and keeps it.")
    gateway_tls_cert: Path | None = Field(None, description="PEM file of the gateway's certificate; empty: no TLS.")
    gateway_tls_key: Path | None = Field(None, validate_default=True, description="PEM file of the certificate's key.")
    gateway_cors_origins: str | None = Field(
        None,
        description="Origins whose scripts may call the gateway, with commas between; empty: its own page's.",
    )

    gateway_jwks_url: str | None = Field(
        None, description="JWKS URL of the identity provider whose JWTs are believed; https, http on loopback only."
    )
    gateway_jwt_key: Path | None = Field(
        None, description="PEM file of the public key that JWTs are checked with, instead of a JWKS URL."
    )
    gateway_jwt_algorithm: Literal["RS256", "ES256", "EdDSA"] = Field(
        "RS256", description="The one algorithm of JWTs that is believed, whatever a token says."
    )
    gateway_jwt_issuer: str | None = Field(None, validate_default=True, description="Issuer (iss) of JWTs.")
    gateway_jwt_audience: str | None = Field(None, validate_default=True, description="Audience (aud) of JWTs.")
    gateway_jwt_role_claim: str = Field(
        "role", min_length=1, description="Claim with the role: viewer, operator or admin, or a list with one of them."
    )
    gateway_jwt_tenant_claim: str = Field(
        "tenant", min_length=1, description="Claim with the tenant; a JWT without it is of the tenant default."
    )

    gateway_max_body_bytes: int = Field(
        2 * 2**20, ge=2**10, le=2**30, description="Greatest body of a request to the gateway."
    )
    gateway_timeout_s: float = Field(
        10.0, gt=0, le=120, description="Longest wait of a request to the gateway for Kafka; then it is a 503."
    )
    gateway_token_rate: str = Field("1000/second", description="Requests of a token, as in 1000/second or 5/minute.")
    gateway_address_rate: str = Field("2000/second", description="Requests from an address.")
    gateway_failure_rate: str = Field("30/minute", description="Sign-ins from an address that may fail.")
    gateway_notice_rate: str = Field("100/second", description="Webhooks of platforms from an address.")
    notice_window_s: float = Field(
        86_400.0, gt=0, description="Age up to which a webhook of a platform is taken; what is older was recorded."
    )
    webhook_verify_token: SecretStr | None = Field(
        None, min_length=1, description="Word agreed with Threads for webhooks in; the app's dashboard has the same."
    )
    gateway_feed_listeners: int = Field(2_000, ge=1, le=100_000, description="Live feeds open at once.")
    gateway_feed_listeners_per_caller: int = Field(
        1_200, ge=1, le=100_000, description="Live feeds that one token may have open at once."
    )
    gateway_feed_ring_bytes: int = Field(
        4 * 2**20, ge=2**16, le=2**30, description="Newest records of a topic that are kept decoded for live feeds."
    )
    gateway_token: SecretStr | None = Field(
        None, description="Token that `threads-agent mcp` shows the gateway; empty: gateway.token in the home."
    )

    @field_validator("gateway_tls_key")
    @classmethod
    def _with_its_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) is not (info.data.get("gateway_tls_cert") is None):
            raise ValueError("goes together with THREADS_GATEWAY_TLS_CERT: set both or none")
        return value

    @field_validator("gateway_cors_origins")
    @classmethod
    def _origins(cls, value: str | None) -> str | None:
        wrong = [each for each in origins_in(value) if not _is_origin(each)]
        if wrong:
            raise ValueError(f"expected origins such as https://board.example, got {', '.join(wrong)}")
        return value

    @field_validator("gateway_jwks_url")
    @classmethod
    def _not_in_the_open(cls, value: str | None) -> str | None:
        if value is not None:
            url = urlsplit(value)
            if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
                raise ValueError("expected an https URL; http on loopback only: who can change the keys can sign in")
        return value

    @field_validator("gateway_jwt_key")
    @classmethod
    def _one_source(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("gateway_jwks_url") is not None:
            raise ValueError("excludes THREADS_GATEWAY_JWKS_URL: keys come from one place")
        return value

    @field_validator("gateway_jwt_issuer", "gateway_jwt_audience")
    @classmethod
    def _said(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value and (info.data.get("gateway_jwks_url") or info.data.get("gateway_jwt_key")):
            raise ValueError("is needed where JWTs are believed: tokens of others, or for others, would be good else")
        return value

    @field_validator("gateway_token_rate", "gateway_address_rate", "gateway_failure_rate", "gateway_notice_rate")
    @classmethod
    def _rate(cls, value: str) -> str:
        if not re.fullmatch(r"[1-9]\d{0,8}/(second|minute|hour)", value):
            raise ValueError("expected a rate such as 1000/second, 30/minute or 5/hour")
        return value


def origins_in(text: str | None) -> list[str]:
    """Return the origins of a setting."""
    return [each.strip() for each in (text or "").split(",") if each.strip()]


def _is_origin(text: str) -> bool:
    url = urlsplit(text)
    return url.scheme in ("http", "https") and bool(url.netloc) and text == f"{url.scheme}://{url.netloc}"
