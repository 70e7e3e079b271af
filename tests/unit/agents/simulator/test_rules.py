"""What the simulated platform refuses of a post, what a fault befalls, and when the role has nothing to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.simulator.faults import FAULTS, Wanted
from agents.simulator.graph_errors import GraphError
from agents.simulator.publishing import check_tag, check_text, unique_links
from agents.simulator.world import exact_time, graph_time, moment_ms
from streams.role_names import roles_at_work
from tests.support.settings import settings_with

LINKS = [f"https://a.example/{number}" for number in range(6)]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 500,
        "ü" * 500,  # not an emoji: counts as one
        "🙂" * 125,  # 4 bytes each
        "a" * 496 + "🙂",
        "👩‍👩‍👧‍👦" * 20,  # 25 bytes each
        " ".join(LINKS[:5]),
        " ".join(LINKS[:5] * 2),  # each counts once
    ],
)
def test_what_fits_is_taken(text: str) -> None:
    check_text(text)


@pytest.mark.parametrize(
    ("text", "link", "told"),
    [
        ("", None, "Param text is required"),
        (" \n", None, "Param text is required"),
        ("a" * 501, None, "at most 500 characters"),
        ("a" * 497 + "🙂", None, "at most 500 characters"),
        ("🙂" * 126, None, "at most 500 characters"),
        ("👩‍👩‍👧‍👦" * 21, None, "at most 500 characters"),
        (" ".join(LINKS), None, "THREADS_API__LINK_LIMIT_EXCEEDED"),
        (" ".join(LINKS[:5]), LINKS[5], "THREADS_API__LINK_LIMIT_EXCEEDED"),
        ("see", "not a link", "valid URL"),
    ],
)
def test_what_is_too_much_is_refused_in_the_platform_s_words(text: str, link: str | None, told: str) -> None:
    with pytest.raises(GraphError, match=told) as refused:
        check_text(text, link)
    assert refused.value.body()["error"]["code"] == 100


def test_a_link_in_the_text_and_attached_is_one() -> None:
    assert unique_links(f"look: {LINKS[0]}.", LINKS[0]) == [LINKS[0]]


@pytest.mark.parametrize("tag", ["", "x" * 51, "a.b", "a&b"])
def test_a_topic_tag_has_its_own_rules(tag: str) -> None:
    check_tag("x" * 50)
    check_tag(None)
    with pytest.raises(GraphError, match="topic_tag"):
        check_tag(tag)


def test_an_error_has_all_fields_of_a_graph_error() -> None:
    error = FAULTS["4279009"].error
    assert error is not None
    body = error().body()["error"]
    assert (body["code"], body["error_subcode"], body["is_transient"]) == (24, 4279009, False)
    assert set(body) >= {"message", "type", "fbtrace_id", "error_user_msg"}


def test_a_fault_befalls_only_what_it_can() -> None:
    assert Wanted("timeout_after_publish").befalls("publish", ())
    assert not Wanted("timeout_after_publish").befalls("create", ())
    assert Wanted("500").befalls("insights", ())
    assert not Wanted("500").befalls("webhook", ())
    assert Wanted("webhook_lost").befalls("webhook", ())
    assert not Wanted("500", on="publish").befalls("create", ())
    assert Wanted("500", user="ada").befalls("create", ("1", "ada"))
    assert not Wanted("500", user="ada").befalls("create", ("2", "bob"))


@given(st.integers(0, 4_000_000_000))
def test_moments_are_read_as_they_are_written(seconds: int) -> None:
    at_ms = seconds * 1000
    assert moment_ms({"since": str(seconds)}, "since") == at_ms
    assert moment_ms({"since": graph_time(at_ms)}, "since") == at_ms
    assert moment_ms({"since": exact_time(at_ms)}, "since") == at_ms


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "1e3"])
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(GraphError, match="since"):
        moment_ms({"since": text}, "since")
    assert moment_ms({}, "since") is None


def test_the_role_is_at_work_on_the_embedded_stack_alone() -> None:
    assert "simulator" in roles_at_work(settings_with())[0]
    for elsewhere, told in (
        (settings_with(kafka="127.0.0.1:1"), "THREADS_KAFKA is set"),
        (settings_with(threads_api_url="https://graph.threads.net"), "THREADS_API_URL is set"),
    ):
        names, left_out = roles_at_work(elsewhere)
        assert "simulator" not in names
        assert any(line.startswith("simulator is left out: ") and told in line for line in left_out)
