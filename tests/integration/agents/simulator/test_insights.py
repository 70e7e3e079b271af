"""Numbers: growing with age, equal to the truth, corrected by hand, clicks by link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.integration.agents.simulator.conftest import User
from tests.support.simulator import RunningSimulator

DAY_S = 86_400
METRICS = "views,likes,replies,reposts,quotes,shares"
LINK = "https://a.example/1"
STILL = {"simulator_audience_speed": 1e-6}
"""An audience that does nothing while a test looks."""
LARGE = {"simulator_median_views": 100_000}
Run = Callable[..., RunningSimulator]
SignIn = Callable[..., User]


def totals(user: User, post_id: str) -> dict[str, int]:
    rows = user.get(f"/{post_id}/insights", metric=METRICS)["data"]
    assert {row["period"] for row in rows} == {"lifetime"}
    return {row["name"]: row["values"][0]["value"] for row in rows}


def numbers(user: User, metric: str, **query: str) -> dict[str, Any]:
    (row,) = user.get("/me/threads_insights", metric=metric, **query)["data"]
    assert row["name"] == metric
    found: dict[str, Any] = row
    return found


def clicks(user: User, **query: str) -> dict[str, int]:
    return {row["link_url"]: row["value"] for row in numbers(user, "clicks", **query)["link_total_values"]}


def test_totals_grow_with_age_and_are_those_of_the_truth(simulator: RunningSimulator, ada: User) -> None:
    post_id = ada.post("Grow")
    simulator.clock.pass_s(3 * 3_600)
    young = totals(ada, post_id)
    simulator.clock.pass_s(30 * DAY_S)
    old = totals(ada, post_id)
    assert 0 < young["views"] < old["views"]
    assert all(young[metric] <= old[metric] for metric in old)
    assert simulator.posts("ada")[0]["totals"] == old
    simulator.clock.pass_s(300 * DAY_S)
    assert totals(ada, post_id) == old


def test_an_audience_can_be_sped_up(run: Run, sign_in: SignIn) -> None:
    simulator = run(simulator_audience_speed=86_400.0)
    ada = sign_in(simulator)
    post_id = ada.post("Fast")
    simulator.clock.pass_s(14)
    full = totals(ada, post_id)
    simulator.clock.pass_s(DAY_S)
    assert totals(ada, post_id) == full
    assert full["views"] > 0


def test_corrections_add_and_take_from_now_on(run: Run, sign_in: SignIn) -> None:
    simulator = run(**STILL)
    ada = sign_in(simulator)
    post_id = ada.post(f"Engage {LINK}")
    simulator.control(f"posts/{post_id}/engage", {"likes": 10, "views": 50, "follows": 3, "clicks": {LINK: 4}})
    before = numbers(ada, "followers_count")["total_value"]["value"]
    assert (totals(ada, post_id)["likes"], totals(ada, post_id)["views"]) == (10, 50)
    simulator.clock.pass_s(60)
    simulator.control(f"posts/{post_id}/engage", {"likes": -4, "follows": -1})
    assert totals(ada, post_id)["likes"] == 6
    assert numbers(ada, "followers_count")["total_value"]["value"] == before - 1
    simulator.control(f"posts/{post_id}/engage", {"likes": -100})
    assert totals(ada, post_id)["likes"] == 0
    assert clicks(ada) == {LINK: 4}


def test_replies_of_a_root_are_all_and_those_of_a_reply_its_own(run: Run, sign_in: SignIn) -> None:
    simulator = run(**STILL)
    ada = sign_in(simulator)
    root = ada.post("1/2")
    part = ada.post("2/2", reply_to_id=root)
    answer = simulator.control(f"posts/{part}/reply", {"text": "Nice", "username": "reader"})["id"]
    assert totals(ada, root)["replies"] == 2
    assert totals(ada, part)["replies"] == 1
    told = ada.get(f"/{part}/replies", fields="id,text,username,is_reply_owned_by_me")["data"]
    assert [(each["id"], each["text"], each["username"]) for each in told] == [(answer, "Nice", "reader")]


def test_replies_that_are_counted_can_be_read(run: Run, sign_in: SignIn) -> None:
    simulator = run(**LARGE)
    ada = sign_in(simulator)
    root = ada.post("Talk to me")
    part = ada.post("More", reply_to_id=root)
    simulator.clock.pass_s(30 * DAY_S)
    counted = totals(ada, root)["replies"]
    listed, query = [], {"fields": "id,text,timestamp", "limit": "100"}
    while True:
        page = ada.get(f"/{root}/conversation", **query)
        listed += page["data"]
        if "next" not in page.get("paging", {}):
            break
        query["after"] = page["paging"]["cursors"]["after"]
    assert len({each["id"] for each in listed}) == len(listed) == counted > 2
    assert [each["timestamp"] for each in listed] == sorted((each["timestamp"] for each in listed), reverse=True)
    assert part in {each["id"] for each in listed}


def test_clicks_come_by_link_in_the_range_that_is_asked_for(run: Run, sign_in: SignIn) -> None:
    simulator = run(**LARGE)
    ada = sign_in(simulator)
    ada.post(f"Look {LINK}", link_attachment="https://a.example/2")
    start = simulator.clock() // 1000
    simulator.clock.pass_s(6 * DAY_S)
    middle = simulator.clock() // 1000
    simulator.clock.pass_s(6 * DAY_S)
    end = simulator.clock() // 1000
    first = clicks(ada, since=str(start), until=str(middle))
    second = clicks(ada, since=str(middle), until=str(end))
    lifetime = simulator.posts("ada")[0]["clicks"]
    assert set(lifetime) == {LINK, "https://a.example/2"}
    assert {link: first.get(link, 0) + second.get(link, 0) for link in lifetime} == lifetime
    assert sum(clicks(ada, since=str(start), until=str(end)).values()) < sum(lifetime.values())  # cut to a week


def test_followers_grow_by_what_posts_brought(run: Run, sign_in: SignIn) -> None:
    simulator = run(**LARGE)
    ada = sign_in(simulator)
    before = numbers(ada, "followers_count")["total_value"]["value"]
    for number in range(5):
        ada.post(f"Follow me {number}")
    simulator.clock.pass_s(30 * DAY_S)
    brought = sum(each["follows"] for each in simulator.posts("ada"))
    simulator.control("users/ada/follow", {"followers": 7})
    assert numbers(ada, "followers_count")["total_value"]["value"] == before + brought + 7
    assert brought > 0


def test_metrics_and_ranges_that_are_none_are_refused(ada: User) -> None:
    post_id = ada.post("Ask")
    for path, query in (
        (f"/{post_id}/insights", {}),
        (f"/{post_id}/insights", {"metric": "views,loves"}),
        ("/me/threads_insights", {"metric": "followers_count", "since": "1764000000"}),
        ("/me/threads_insights", {"metric": "likes", "since": "2020-01-01"}),
        ("/me/threads_insights", {"metric": "likes", "since": "1790000000", "until": "1780000000"}),
    ):
        assert ada.refused("GET", path, params=query)[:2] == (400, 100)


def test_views_of_a_profile_are_told_by_day(ada: User) -> None:
    values = numbers(ada, "views")["values"]
    assert len(values) >= 2
    assert all(set(each) == {"value", "end_time"} for each in values)


def test_calls_are_limited_by_impressions_and_counted(run: Run, sign_in: SignIn) -> None:
    simulator = run(simulator_calls_per_impression=2)
    ada = sign_in(simulator)
    codes = [ada.client.get("/me").status_code for _ in range(25)]
    assert codes == [200] * 20 + [400] * 5
    post_id = sign_in(simulator, "bob").post("Views")
    simulator.clock.pass_s(2 * DAY_S)  # the calls of before are over
    ada.get("/me")
    calls = simulator.truth()["calls"]
    assert sorted(number for of_user in calls.values() for number in of_user.values()) == [1, 1, 26]
    assert post_id
