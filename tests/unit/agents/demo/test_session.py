from __future__ import annotations

from agents.demo.session import demo_requests
from agents.personas.persona_file import SAMPLES, read_personas


def test_the_briefs_are_for_the_sample_personas_and_two_are_nearly_the_same() -> None:
    requests = demo_requests(8)
    assert len({request.event_id for request in requests}) == 8
    assert {request.persona_id for request in requests} <= {one.persona_id for one in read_personas(SAMPLES)}
    first, second = (set(request.brief.split()) for request in requests[:2])
    assert requests[0].persona_id == requests[1].persona_id
    assert len(first ^ second) <= 2
