"""Commands of a worker's installation against a broker: the extra `embedded` is not there."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.conftest import Stack
from tests.support.without_extra import COMMAND, run_without_extra


@pytest.fixture
def addresses(stack: Stack) -> dict[str, str]:
    return {"THREADS_HOME": str(stack.home), "THREADS_KAFKA": stack.bootstrap}


def test_topics_are_listed_without_the_extra(addresses: dict[str, str]) -> None:
    listed = run_without_extra(COMMAND, ["topics", "list", "--json"], addresses)
    assert listed.returncode == 0, listed.stderr
    assert "dead.letters" in listed.stdout


def test_a_record_is_produced_without_the_extra(addresses: dict[str, str]) -> None:
    request = {"persona_id": f"nobody-{uuid4().hex[:8]}", "brief": "a walk", "draft_count": 1}
    produced = run_without_extra(COMMAND, ["produce", "persona.requests", "-"], addresses, json.dumps(request) + "\n")
    assert produced.returncode == 0, produced.stderr
