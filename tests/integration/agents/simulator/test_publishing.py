"""Containers become posts as the platform has it, and what it refuses is refused in its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agents.platforms.threads_ids import simulated_user_id
from tests.integration.agents.simulator.conftest import User
from tests.support.simulator import RunningSimulator

DAY_S = 86_400
MEDIA = "id,media_product_type,media_type,permalink,owner,username,text,timestamp,shortcode,is_reply,topic_tag"
Run = Callable[..., RunningSimulator]
SignIn = Callable[..., User]


def status(user: User, container_id: str) -> str:
    return str(user.get(f"/{container_id}", fields="status,error_message")["status"])


def test_a_container_becomes_one_post_with_another_id(simulator: RunningSimulator, ada: User) -> None:
    container_id = ada.create("Hello", topic_tag="greetings", reply_control="everyone")
    assert status(ada, container_id) == "FINISHED"
    post_id = ada.publish(container_id)
    assert post_id != container_id
    assert status(ada, container_id) == "PUBLISHED"
    assert ada.refused("POST", "/me/threads_publish", data={"creation_id": container_id}) == (400, 100, None)
    post = ada.get(f"/{post_id}", fields=MEDIA)
    assert (post["text"], post["username"], post["topic_tag"]) == ("Hello", "ada", "greetings")
    assert post["owner"]["id"] == simulated_user_id("ada")
    assert post["timestamp"].endswith("+0000")
    assert [each["id"] for each in simulator.posts("ada")] == [post_id]
    assert simulator.truth("ada")["containers"][0]["post_id"] == post_id


def test_a_user_says_that_it_is_simulated(simulator: RunningSimulator, ada: User) -> None:
    me = ada.get("/me", fields="id,username,name,threads_biography")
    assert me["id"] == simulated_user_id("ada")
    assert "simulated" in me["name"]
    assert me["threads_biography"].startswith("Simulated")
    assert simulator.truth()["simulated"] is True


def test_publishing_before_it_is_ready_is_told_to_be_no_container(run: Run, sign_in: SignIn) -> None:
    simulator = run(simulator_ready_s=30.0)
    ada = sign_in(simulator)
    container_id = ada.create("Soon")
    assert status(ada, container_id) == "IN_PROGRESS"
    assert ada.refused("POST", "/me/threads_publish", data={"creation_id": container_id}) == (400, 24, 4279009)
    simulator.clock.pass_s(31)
    assert status(ada, container_id) == "FINISHED"
    ada.publish(container_id)


def test_a_share_of_containers_takes_long(run: Run, sign_in: SignIn) -> None:
    simulator = run(simulator_slow_share=0.3, simulator_slow_ready_s=30.0)
    ada = sign_in(simulator)
    states = [status(ada, ada.create(f"Text {number}")) for number in range(60)]
    assert 5 <= states.count("IN_PROGRESS") <= 35
    simulator.clock.pass_s(31)
    assert {each["status"] for each in simulator.truth()["containers"]} == {"FINISHED"}


def test_a_container_expires_after_a_day(simulator: RunningSimulator, ada: User) -> None:
    container_id = ada.create("Late")
    simulator.clock.pass_s(DAY_S)
    assert status(ada, container_id) == "EXPIRED"
    assert ada.refused("POST", "/me/threads_publish", data={"creation_id": container_id}) == (400, 24, 4279009)


def test_a_container_that_failed_says_why(simulator: RunningSimulator, ada: User) -> None:
    container_id = ada.create("Bad luck")
    simulator.control(f"containers/{container_id}/fail", {"message": "no luck"})
    told = ada.get(f"/{container_id}", fields="status,error_message")
    assert (told["status"], told["error_message"]) == ("ERROR", "no luck")
    assert ada.refused("POST", "/me/threads_publish", data={"creation_id": container_id}) == (400, 100, None)


@pytest.mark.parametrize(
    "form",
    [
        {"media_type": "TEXT", "text": "🙂" * 126},
        {"media_type": "TEXT", "text": " ".join(f"https://a.example/{number}" for number in range(6))},
        {"media_type": "IMAGE", "text": "x"},
        {"media_type": "TEXT", "text": "x", "topic_tag": "a.b"},
        {"media_type": "TEXT", "text": "x", "reply_control": "nobody"},
        {"media_type": "TEXT", "text": "x", "link_attachment": "nowhere"},
    ],
)
def test_what_the_platform_does_not_take_makes_no_container(
    shared: RunningSimulator, sign_in: SignIn, form: dict[str, Any]
) -> None:
    user = sign_in(shared)
    assert user.refused("POST", "/me/threads", data=form) == (400, 100, None)
    assert user.refused("POST", "/me/threads", json=form) == (400, 100, None)
    assert shared.truth()["containers"] == []


def test_auto_publish_leaves_no_container_to_look_at(simulator: RunningSimulator, ada: User) -> None:
    post_id = ada.create("At once", auto_publish_text="true")
    assert [each["id"] for each in simulator.posts("ada")] == [post_id]


def test_threads_are_chains_of_replies(simulator: RunningSimulator, ada: User) -> None:
    first = ada.post("1/3")
    second = ada.post("2/3", reply_to_id=first)
    third = ada.post("3/3", reply_to_id=second)
    assert [each["id"] for each in ada.get("/me/threads")["data"]] == [first]
    assert [each["id"] for each in ada.get("/me/replies")["data"]] == [third, second]
    assert [each["id"] for each in ada.get(f"/{first}/replies")["data"]] == [second]
    assert [each["id"] for each in ada.get(f"/{first}/conversation")["data"]] == [third, second]
    shown = ada.get(f"/{third}", fields="is_reply,is_reply_owned_by_me,replied_to,root_post")
    assert (shown["replied_to"]["id"], shown["root_post"]["id"], shown["is_reply"]) == (second, first, True)
    assert ada.refused("POST", "/me/threads", data={"media_type": "TEXT", "text": "x", "reply_to_id": "1"})[1] == 100


def test_lists_come_in_pages_the_newest_first(simulator: RunningSimulator, ada: User) -> None:
    made = []
    for number in range(7):
        made.append(ada.post(f"Post {number}"))
        simulator.clock.pass_s(60)
    seen, query = [], {"fields": "id,timestamp", "limit": "3"}
    while True:
        page = ada.get("/me/threads", **query)
        seen += [each["id"] for each in page["data"]]
        assert ("next" in page["paging"]) is (len(seen) < len(made))
        if "next" not in page["paging"]:
            break
        query["after"] = page["paging"]["cursors"]["after"]
    assert seen == made[::-1]
    newest = ada.get("/me/threads", fields="timestamp")["data"][1]["timestamp"]
    assert [each["id"] for each in ada.get("/me/threads", since=newest)["data"]] == [made[6], made[5]]
    assert [each["id"] for each in ada.get("/me/threads", until=newest)["data"]][:1] == [made[4]]
    assert ada.get("/me/threads", since="99999999999999999999")["data"] == []


def test_quotas_roll_over_a_day(run: Run, sign_in: SignIn) -> None:
    simulator = run(simulator_post_quota=2, simulator_reply_quota=1, simulator_delete_quota=1)
    ada = sign_in(simulator)
    first = ada.post("One")
    simulator.clock.pass_s(3_600)
    second = ada.post("Two")
    ada.post("Reply", reply_to_id=first)
    third, reply = ada.create("Three"), ada.create("Reply again", reply_to_id=first)
    for container_id in (third, reply):
        assert ada.refused("POST", "/me/threads_publish", data={"creation_id": container_id}) == (403, 9, 2207042)
    assert ada.answer(ada.client.delete(f"/{second}"))["success"] is True
    assert ada.refused("DELETE", f"/{first}") == (403, 9, 2207042)
    limit = ada.get("/me/threads_publishing_limit", fields="quota_usage,config,reply_quota_usage,delete_quota_usage")
    assert limit["data"][0] == {
        "quota_usage": 2,  # what is deleted counts
        "config": {"quota_total": 2, "quota_duration": DAY_S},
        "reply_quota_usage": 1,
        "delete_quota_usage": 1,
    }
    simulator.clock.pass_s(DAY_S - 3_600)
    ada.publish(third)
    assert simulator.truth("ada")["users"][0]["quota"] == {"posts": 2, "replies": 1, "deletions": 1}


def test_a_deleted_post_is_gone(simulator: RunningSimulator, ada: User) -> None:
    post_id, other = ada.post("Away"), ada.post("Stays")
    ada.answer(ada.client.delete(f"/{post_id}"))
    assert ada.refused("GET", f"/{post_id}") == (400, 100, 33)
    assert ada.refused("DELETE", f"/{post_id}") == (400, 100, 33)
    assert ada.refused("GET", f"/{post_id}/insights", params={"metric": "views"}) == (400, 100, 33)
    simulator.control(f"posts/{other}/delete", {})
    assert ada.get("/me/threads")["data"] == []


def test_nobody_else_s_things_are_touched(simulator: RunningSimulator, ada: User, sign_in: SignIn) -> None:
    bob = sign_in(simulator, "bob")
    post_id, container_id = ada.post("Mine"), ada.create("Mine too")
    assert bob.refused("POST", "/me/threads_publish", data={"creation_id": container_id}) == (400, 24, 4279009)
    assert bob.refused("DELETE", f"/{post_id}") == (400, 100, 33)
    assert bob.refused("GET", f"/{post_id}/insights", params={"metric": "views"}) == (400, 100, 33)
    assert bob.refused("GET", f"/{simulated_user_id('ada')}/threads") == (400, 100, 33)
    assert bob.get(f"/{post_id}", fields="text")["text"] == "Mine"  # it is public


def test_a_restricted_account_publishes_nothing(simulator: RunningSimulator, ada: User) -> None:
    container_id = ada.create("Before")
    simulator.control("users/ada/restrict", {"restricted": True})
    form = {"media_type": "TEXT", "text": "x"}
    assert ada.refused("POST", "/me/threads", data=form)[2] == 4279013
    assert ada.refused("POST", "/me/threads_publish", data={"creation_id": container_id})[2] == 4279013
    simulator.control("users/ada/restrict", {"restricted": "2207051"})
    assert ada.refused("POST", "/me/threads", data=form) == (403, 4, 2207051)
    simulator.control("users/ada/restrict", {"restricted": False})
    ada.publish(container_id)
