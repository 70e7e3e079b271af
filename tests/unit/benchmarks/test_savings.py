"""The savings benchmark: the same requests, a bill of what is really sent, and each measure apart."""

from __future__ import annotations

from datetime import UTC, datetime

from agents.caching.settings import CachingSettings
from agents.generation.asking.answers import answers_in, answers_schema
from agents.generation.asking.prompts import hook_prompt
from agents.generation.asking.writer import HookTask, Past
from agents.generation.settings import GenerationSettings
from streams.settings import Settings, group_kinds
from tests.benchmarks.savings.measures import MEASURES, settings_with
from tests.benchmarks.savings.metered_model import completion
from tests.benchmarks.savings.workload import assignments, requests

AT = datetime(2026, 11, 22, tzinfo=UTC)


def test_the_stated_share_of_requests_comes_again_under_ids_of_their_own() -> None:
    wanted = requests(200, 0.6, 7, AT)
    assert len(wanted) == len({request.event_id for request in wanted}) == 200
    assert len({(request.persona_id, request.brief) for request in wanted}) == 80
    assert requests(200, 0.6, 7, AT) == wanted


def test_the_metered_model_answers_every_brief_and_bills_a_longer_prompt_with_more_tokens() -> None:
    tasks = [HookTask(each, Past()) for each in assignments(requests(10, 0.0, 1, AT))[:3]]
    bills = []
    for count in (1, 3):
        schema = {"schema": answers_schema("hooks", count, 3)}
        user = hook_prompt(tasks[:count], 3)
        said = completion(
            {
                "model": "m",
                "messages": [{"role": "system", "content": "You write."}, {"role": "user", "content": user}],
                "response_format": {"json_schema": schema},
            }
        )
        texts = answers_in(said["choices"][0]["message"]["content"], "hooks", count)
        assert [len(each) for each in texts] == [3] * count
        bills.append(said["usage"]["total_tokens"])
    assert bills[0] < bills[1]


def test_a_measure_that_is_left_out_is_switched_off_and_the_others_stay_as_they_are_set() -> None:
    settings = Settings().having(GenerationSettings(hook_model="strong", body_model="cheap", burst_size=5))
    off = settings_with(settings, ())
    writing = off.of(GenerationSettings)
    assert (writing.body_model, off.of(CachingSettings).llm_cache, writing.burst_size) == ("strong", "off", 1)
    kept = settings_with(settings, MEASURES)
    assert [kept.of(kind) for kind in group_kinds()] == [settings.of(kind) for kind in group_kinds()]
    assert settings_with(settings, ("burst",)).of(GenerationSettings).burst_size == 5
