"""A JWT is believed when it is signed as the settings say, of the time, for us, and names a role; else it is a 401."""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from agents.gateway.auth.caller import ROLES, Caller
from agents.gateway.auth.jwt_check import KEPT_S, LEEWAY_S, Expected, JwtCheck, greatest_role, jwt_check_of
from agents.gateway.auth.key_set import parsed_keys
from agents.gateway.auth.sign_in import SignIn
from agents.gateway.auth.token_store import TokenStore
from agents.gateway.auth.tokens import made_session, made_token
from agents.gateway.problems import Refused
from agents.gateway.rates import Rates
from agents.gateway.settings import GatewaySettings
from schemas.registries.registry import open_registry
from streams.errors import SettingsError
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from tests.support.settings import settings_with

RSA, OTHER_RSA = generate_rsa(65_537, 2_048), generate_rsa(65_537, 2_048)
KEYS: dict[str, Any] = {"RS256": RSA, "ES256": generate_private_key(SECP256R1()), "EdDSA": Ed25519PrivateKey.generate()}
ISSUER, AUDIENCE = "https://id.example", "threads"
NOW, DAY_S = int(time.time()), 86_400  # the run of all tests takes its time
OF_ADA = {"sub": "ada", "role": "operator", "tenant": "acme"}
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + DAY_S, **OF_ADA}


class OneKey:
    """A source with one public key."""

    def __init__(self, key: Any) -> None:
        self._key = key

    async def key(self, kid: str | None) -> Any:
        assert kid is None or isinstance(kid, str)
        return self._key


def pem(private: Any) -> bytes:
    made: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return made


def check_with(key: Any = RSA, algorithm: str = "RS256", now: float = NOW) -> JwtCheck:
    expected = Expected(algorithm, ISSUER, AUDIENCE, "role", "tenant")
    return JwtCheck(OneKey(key.public_key()), expected, lambda: now)


def signed(key: Any = RSA, algorithm: str = "RS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers)


def unsigned(**header: Any) -> str:
    parts = [{"typ": "JWT", **header}, CLAIMS]
    return ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts) + "."


async def refusal(token: str, check: JwtCheck | None = None) -> str:
    with pytest.raises(Refused) as caught:
        await (check or check_with()).caller_with(token, "digest")
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer ")
    return caught.value.detail


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_token_signed_as_expected_is_its_subject_role_and_tenant(algorithm: str) -> None:
    token = signed(KEYS[algorithm], algorithm)
    caller, ends_at = await check_with(KEYS[algorithm], algorithm).caller_with(token, "digest")
    assert caller == Caller("ada", "operator", "acme")
    assert ends_at == CLAIMS["exp"]


async def test_the_key_of_a_file_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(RSA))
    settings = GatewaySettings(gateway_jwt_key=path, gateway_jwt_issuer=ISSUER, gateway_jwt_audience=AUDIENCE)
    check = jwt_check_of(settings)
    assert check is not None
    assert (await check.caller_with(signed(), "digest"))[0].subject == "ada"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"exp": NOW - LEEWAY_S - 1}, "expired"),
        ({"exp": None}, '"exp" claim'),
        ({"nbf": NOW + DAY_S}, "not yet valid"),
        ({"iat": NOW + DAY_S}, "not yet valid"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": None}, '"iss" claim'),
        ({"aud": "another"}, "Audience"),
        ({"aud": None}, '"aud" claim'),
        ({"sub": None}, '"sub" claim'),
        ({"role": None}, "claim role is None"),
        ({"role": "root"}, "claim role is 'root'"),
        ({"role": ["root"]}, "claim role is"),
        ({"tenant": 7}, "claim tenant is 7"),
        ({"tenant": ""}, "claim tenant is ''"),
    ],
)
async def test_claims_that_are_not_as_expected_are_refused_by_name(changes: dict[str, Any], told: str) -> None:
    assert told in await refusal(signed(**changes))


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "", None])
async def test_a_token_without_a_signature_is_refused(alg: str | None) -> None:
    assert "only RS256 is believed" in await refusal(unsigned(alg=alg))


async def test_the_public_key_is_no_secret_to_sign_with() -> None:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()).decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode().rstrip("=")
    digest = hmac.digest(pem(RSA), f"{header}.{body}".encode(), "sha256")
    token = f"{header}.{body}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
    assert "only RS256 is believed" in await refusal(token)


async def test_another_algorithm_of_a_key_that_is_ours_is_refused() -> None:
    assert "only RS256 is believed" in await refusal(signed(KEYS["ES256"], "ES256"))
    assert "only RS256 is believed" in await refusal(signed(RSA, "RS512"))


async def test_a_signature_of_another_key_is_refused() -> None:
    assert "can't be believed" in await refusal(signed(OTHER_RSA))
    header, body, signature = signed().split(".")
    forged = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "role": "admin"}).encode()).decode().rstrip("=")
    assert "can't be believed" in await refusal(f"{header}.{forged}.{signature}")
    assert "can't be believed" in await refusal(f"{header}.{body}.")


@given(st.text(max_size=200) | st.lists(st.text(alphabet="eyJhbGciOiJ_-=9", max_size=40), max_size=4).map(".".join))
async def test_whatever_is_no_jwt_is_a_401(token: str) -> None:
    await refusal(token)


async def test_a_key_id_of_any_type_is_a_401_or_a_caller() -> None:
    for kid in ("../../etc/passwd", "a' OR 1=1", "\ud800"):
        assert (await check_with().caller_with(signed(headers={"kid": kid}), "digest"))[0].subject == "ada"


async def test_a_token_is_believed_for_a_while_and_not_beyond_its_end() -> None:
    now = int(time.time())
    clock = [float(now)]
    check = JwtCheck(OneKey(RSA.public_key()), Expected("RS256", ISSUER, AUDIENCE, "role", "tenant"), lambda: clock[0])
    caller, _ = await check.caller_with(signed(), "long")
    await check.caller_with(signed(exp=now + 5), "short")
    assert check.known("long") == caller
    assert check.known("unknown") is None
    clock[0] = now + 5 + LEEWAY_S + 1
    assert (check.known("short"), check.known("long")) == (None, caller)
    clock[0] = now + KEPT_S + 1
    assert check.known("long") is None


@given(st.lists(st.sampled_from((*ROLES, "root", "", 7, None))))
def test_of_a_list_of_roles_the_greatest_counts(said: list[object]) -> None:
    found = greatest_role(said)
    known = [index for index, role in enumerate(ROLES) if role in said]
    assert (None if found is None else ROLES.index(found)) == max(known, default=None)


def test_keys_of_a_set_that_are_for_something_else_are_passed_over() -> None:
    def entry(kid: str, **more: Any) -> dict[str, Any]:
        return {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key())), "kid": kid, **more}

    entries = [
        entry("good"),
        entry("encryption", use="enc"),
        entry("other", alg="RS512"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "hmac"},
        {"kid": "broken", "kty": "RSA"},
        "no object",
    ]
    assert set(parsed_keys(json.dumps({"keys": entries}).encode(), "RS256")) == {"good"}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"keys": 7}', b"\xff", b"null"])
def test_what_is_no_key_set_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed_keys(body, "RS256")


def test_a_file_that_is_no_key_is_told_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("-----BEGIN NOTHING-----")
    with pytest.raises(SettingsError, match=r"THREADS_GATEWAY_JWT_KEY: .*expected a PEM file") as caught:
        jwt_check_of(GatewaySettings(gateway_jwt_key=path, gateway_jwt_issuer=ISSUER, gateway_jwt_audience=AUDIENCE))
    assert "\n" not in str(caught.value)


def test_without_an_identity_provider_no_jwt_is_checked() -> None:
    assert jwt_check_of(GatewaySettings()) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW * 1_000}, {"exp": 1e300}, {"exp": float("inf")}, {"exp": [1]}, {"nbf": [1]}, {"iat": {}},
        {"sub": "a\x00b"}, {"sub": "\ud800"}, {"sub": "a\nb"}, {"tenant": "\ud800"}, {"tenant": "a\x00"}, {"aud": 5},
    ],
)  # fmt: skip
async def test_claims_that_nothing_can_be_made_of_are_a_401(claims: dict[str, Any]) -> None:
    token = jwt.api_jws.PyJWS().encode(json.dumps({**CLAIMS, **claims}).encode(), RSA, "RS256")
    assert next(iter(claims)) in await refusal(token) or "believed" in await refusal(token)


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("kind", KEYS)
def test_a_file_with_a_key_of_another_algorithm_is_told_at_the_start(tmp_path: Path, kind: str, algorithm: Any) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(KEYS[kind]))
    settings = GatewaySettings(
        gateway_jwt_key=path,
        gateway_jwt_algorithm=algorithm,
        gateway_jwt_issuer=ISSUER,
        gateway_jwt_audience=AUDIENCE,
    )
    if kind == algorithm:
        assert jwt_check_of(settings) is not None
        return
    with pytest.raises(SettingsError, match=f"it holds an .*PublicKey.*for {algorithm}"):
        jwt_check_of(settings)


@pytest.fixture
def sign_in(tmp_path: Path) -> SignIn:
    """Sign-in that knows no token, for JWTs."""
    cluster, registry = Cluster.of(settings_with(home=tmp_path, kafka="127.0.0.1:9")), open_registry(None)
    tokens = TokenStore(cluster, registry, EventProducer(cluster, registry))
    return SignIn(tokens, check_with(), Rates(GatewaySettings()))


async def test_a_session_ends_with_its_jwt_also_where_that_was_checked_a_moment_ago(sign_in: SignIn) -> None:
    token = signed()
    headers = [(b"authorization", f"Bearer {token}".encode())]
    await sign_in.caller_of(Request({"type": "http", "method": "GET", "headers": headers, "client": ("127.0.0.1", 7)}))
    _, ends_at = await sign_in.caller_with(token, "127.0.0.1")
    assert ends_at == datetime.fromtimestamp(CLAIMS["exp"], UTC)


async def test_a_session_makes_no_other_that_would_outlive_its_token(sign_in: SignIn) -> None:
    caller = Caller("ada", "viewer", "acme", "token")
    session = made_session("tags_a", datetime.now(UTC), caller, None)
    service = made_token("tagw_a", datetime.now(UTC), name="a", role="viewer", tenant="acme", created_by="ada")
    sign_in._tokens.put(replace(service, token_id="token"))
    sign_in._tokens.put(session)
    assert (await sign_in.caller_with("tagw_a", "127.0.0.1"))[0].token_id == "token"
    with pytest.raises(Refused, match="a session makes no other") as caught:
        await sign_in.caller_with("tags_a", "127.0.0.1")
    assert caught.value.status == 401
