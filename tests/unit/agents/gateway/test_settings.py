"""Settings of the gateway that would be unsafe, or contradict each other, are refused with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from agents.gateway.settings import GatewaySettings
from streams.errors import SettingsError
from streams.settings import read_settings


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"TLS_CERT": "/c.pem"}, "THREADS_GATEWAY_TLS_KEY: .*goes together with THREADS_GATEWAY_TLS_CERT"),
        ({"TLS_KEY": "/k.pem"}, "THREADS_GATEWAY_TLS_KEY: .*set both or none"),
        ({"JWKS_URL": "http://id.example/keys"}, "THREADS_GATEWAY_JWKS_URL: .*expected an https URL"),
        ({"JWKS_URL": "https://id.example"}, "THREADS_GATEWAY_JWT_ISSUER: .*is needed where JWTs are believed"),
        ({"JWT_KEY": "/k.pem"}, "THREADS_GATEWAY_JWT_AUDIENCE: .*is needed where JWTs are believed"),
        ({"JWKS_URL": "https://id.example", "JWT_KEY": "/k"}, "THREADS_GATEWAY_JWT_KEY: .*keys come from one place"),
        ({"JWT_ALGORITHM": "HS256"}, "THREADS_GATEWAY_JWT_ALGORITHM: .*'RS256', 'ES256' or 'EdDSA'"),
        ({"JWT_ALGORITHM": "none"}, "THREADS_GATEWAY_JWT_ALGORITHM"),
        ({"CORS_ORIGINS": "*"}, r"THREADS_GATEWAY_CORS_ORIGINS: .*expected origins such as .*got \*"),
        ({"CORS_ORIGINS": "https://a.example, https://b.example/path"}, r"got https://b\.example/path"),
        ({"TOKEN_RATE": "many"}, "THREADS_GATEWAY_TOKEN_RATE: .*expected a rate such as"),
        ({"FAILURE_RATE": "0/minute"}, "THREADS_GATEWAY_FAILURE_RATE"),
    ],
)
def test_a_setting_that_is_unsafe_is_refused_by_name(
    variables: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"THREADS_GATEWAY_{name}", value)
    with pytest.raises(SettingsError, match=told):
        read_settings()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"gateway_jwks_url": "http://127.0.0.1:9/keys", "gateway_jwt_issuer": "i", "gateway_jwt_audience": "a"},
        {"gateway_cors_origins": "https://board.example, http://localhost:3000"},
        {"gateway_tls_cert": "/c.pem", "gateway_tls_key": "/k.pem"},
    ],
)
def test_what_fits_together_is_taken(values: dict[str, Any]) -> None:
    assert GatewaySettings(**values).gateway_host == "127.0.0.1"
