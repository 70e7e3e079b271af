"""Problems, pages and redaction: what goes out is well formed, says what to do, and holds no secret."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from agents.gateway.auth.tokens import new_secret
from agents.gateway.parameters import cursor_of, page_of, place_of
from agents.gateway.problems import Refused, answer_with_problems, problem_of, refusal_of
from agents.gateway.redaction import REDACTED, RedactingFormatter, redacted
from streams.errors import RecordFault, Unavailable

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def body_of(refused: Refused) -> dict[str, Any]:
    answer = problem_of("id", refused)
    found: dict[str, Any] = json.loads(bytes(answer.body))
    assert found["status"] == answer.status_code
    return found


@given(st.text(), st.text(alphabet=st.characters(codec=None), max_size=50))
def test_a_problem_takes_any_text_of_a_client(name: str, detail: str) -> None:
    assert body_of(Refused(HTTPStatus.CONFLICT, detail + name))["title"] == "Conflict"


@given(st.lists(st.integers(0, 99) | st.text(max_size=9), max_size=4), ANYTHING)
def test_an_invalid_body_names_the_field_and_what_came(path: list[str | int], given_: Any) -> None:
    error = RequestValidationError([{"type": "x", "loc": ("body", *path), "msg": "must be y", "input": given_}])
    problem = body_of(refusal_of(error))
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"].startswith("/")
    assert "must be y, got " in problem["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (RecordFault("field kind: unknown"), 422, "field kind: unknown"),
        (Unavailable("Kafka at 10.1.2.3:9092 does not answer"), 503, "send the same again in 2 s"),
        (Unavailable("quota", retry_after_s=7.2), 503, "in 8 s"),
        (HTTPException(405), 405, "Allow"),
        (HTTPException(413), 413, "send it in parts"),
        (ZeroDivisionError("secret detail"), 500, "its log names it"),
    ],
)
def test_every_error_is_a_problem_that_says_what_to_do(error: Exception, status: int, told: str) -> None:
    refused = refusal_of(error)
    assert (refused.status, told in refused.detail) == (status, True)
    assert "10.1.2.3" not in refused.detail
    assert "secret detail" not in refused.detail
    assert ("Retry-After" in refused.headers) is (status == 503)


@given(st.lists(st.tuples(st.integers(), st.text(max_size=20)), unique=True, max_size=30), st.integers(1, 7))
def test_pages_walk_through_a_list_without_a_gap_or_a_repeat(rows: list[tuple[int, str]], limit: int) -> None:
    ordered, seen, cursor = sorted(rows), list[tuple[int, str]](), None
    while True:
        behind = place_of(cursor, int, str)
        rest = [{"n": n, "t": t} for n, t in ordered if behind is None or (n, t) > behind]
        page = page_of(rest[: limit + 1], limit, lambda item: [item["n"], item["t"]])
        seen += [(item["n"], item["t"]) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(page["items"]) == limit
    assert seen == ordered


@given(st.text(max_size=60) | st.lists(st.integers() | st.text(max_size=5), max_size=3).map(cursor_of))
def test_a_cursor_that_is_none_of_this_list_is_refused(cursor: str) -> None:
    with pytest.raises(Refused, match="next_cursor") as caught:
        place_of(cursor, int, str, bool)
    assert caught.value.status == 422


SECRETS = [
    new_secret(),
    new_secret("tags_"),
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
    "Bearer abcdefghij",
    "postgresql://threads:pa55word@127.0.0.1/threads",
]


@pytest.mark.parametrize("secret", SECRETS, ids=["token", "session", "JWT", "header", "DSN"])
def test_no_secret_is_in_a_problem_or_a_log_line(secret: str) -> None:
    said = secret.removeprefix("Bearer ").removeprefix("postgresql://threads:").partition("@")[0]
    assert said not in redacted(f"before '{secret}' after")
    assert REDACTED in redacted(f"before '{secret}' after")
    assert said not in str(body_of(Refused(401, f"got {secret!r}")))
    formatter = RedactingFormatter(logging.Formatter("%(message)s"))
    error = ValueError(secret)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "told of %s", (secret,), (ValueError, error, None))
    assert said not in formatter.format(record)


@given(st.text(alphabet="abc :/@.-_0123456789", max_size=80))
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text or "://" in text


def test_a_method_that_a_path_does_not_take_is_told_all_that_it_takes() -> None:
    app = FastAPI()
    answer_with_problems(app)
    app.get("/things/{name}")(lambda name: name)
    app.put("/things/{name}")(lambda name: name)
    app.delete("/others/{name}")(lambda name: name)
    answer = TestClient(app).patch("/things/a")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PUT")
    assert answer.headers["content-type"] == "application/problem+json"


def test_of_a_great_many_wrong_fields_some_are_named() -> None:
    wrong = [{"type": "x", "loc": ("body", index), "msg": "must be y", "input": 0} for index in range(5_000)]
    problem = body_of(refusal_of(RequestValidationError(wrong)))
    assert "and 4999 more" in problem["detail"]
    assert len(problem["errors"]) == 100
