"""The page: live, from every number to its events, text whatever it says, and for everybody to use."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from typing import Literal

import httpx
import pytest
from playwright.sync_api import expect

from schemas.records import (
    DraftDecided,
    NearDuplicate,
    PersonaRequest,
    PostPublished,
    PostState,
    Quality,
    QualityFeature,
)
from streams.wall_clock import utc_now
from tests.conftest import REPOSITORY
from tests.integration.agents.gateway.page.conftest import Front, Visiting
from tests.support.drafts import plain_draft
from tests.support.gateway import persona_named
from tests.support.operator_home import eventually
from tests.support.page_visit import DEADLINE_MS, VIEWS, Visit, Window

ADA, SHAUL = "page-ada", "page-shaul"
NAME = "שאול הגנן 🌱👩🏽‍🌾"
INJECTED = '<script>window.pwned = 1</script><img src=x onerror="window.pwned = 2"> & <b>bold</b> שלום \u202eenod'
SHOWN_BRIEFS = (
    "[...document.querySelectorAll('#tail-records .record pre')].map(each => JSON.parse(each.textContent).brief)"
)


def request_of(persona_id: str) -> PersonaRequest:
    return PersonaRequest(
        event_id=f"{persona_id}-request", occurred_at=utc_now(), persona_id=persona_id, brief=f"a brief of {persona_id}"
    )


def decided(persona_id: str, text: str) -> DraftDecided:
    """Return a draft that was rejected as a near-duplicate."""
    draft = plain_draft(
        event_id=f"{persona_id}-generated",
        persona_id=persona_id,
        draft_id=f"{persona_id}-draft",
        request_id=f"{persona_id}-request",
        occurred_at=utc_now(),
        text=text,
        hook=text[:20],
        model="gpt-4o",
    )
    feature = QualityFeature(name="coherence", value=0.31, weight=1.0, reason="the body leaves the hook alone")
    return DraftDecided(
        event_id=f"{persona_id}-decided",
        occurred_at=utc_now(),
        persona_id=persona_id,
        draft=draft,
        quality=Quality(score=0.31, threshold=0.6, passed=False, features=(feature,)),
        decision="rejected",
        reasons=("near duplicate: it says what another draft said",),
        near_duplicate=NearDuplicate(draft_id=f"{persona_id}-earlier", similarity=0.97),
        embedding_model="m",
    )


def post_of(persona_id: str) -> PostPublished:
    return PostPublished(
        event_id=f"{persona_id}-post",
        occurred_at=utc_now(),
        persona_id=persona_id,
        post_id=f"{persona_id}-post",
        draft_id=f"{persona_id}-draft",
        text="Send it on the day.",
        simulated=True,
    )


def state_of(persona_id: str, text: str) -> PostState:
    return PostState(
        event_id=f"{persona_id}-state",
        occurred_at=utc_now(),
        persona_id=persona_id,
        publication_id=f"{persona_id}-publication",
        sequence=1,
        state="failed",
        platform="threads",
        draft_id=f"{persona_id}-draft",
        text=text,
        content_digest="0" * 64,
        permalink="javascript:alert(1)",
        reason="over 500 characters: shorten it",
        retryable=False,
    )


def engagement(persona_id: str, kind: str, count: int) -> dict[str, object]:
    return {"persona_id": persona_id, "post_id": f"{persona_id}-post", "kind": kind, "count": count, "simulated": True}


def produce(front: Front, *events: dict[str, object]) -> None:
    """Send engagement by the command that users send it with."""
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "produce", "engagement.events", "-"],
        input="\n".join(map(json.dumps, events)),
        env=front.stack.environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _answers(client: httpx.Client, path: str) -> bool:
    return client.get(path).is_success


@pytest.fixture(scope="module")
def shown(front: Front) -> Front:
    """Two personas with a request, a draft, a post and its engagement each, all in the database."""
    front.apply(persona_named(ADA, name="Ada"), persona_named(SHAUL, name=NAME))
    for persona_id, text in ((ADA, "A plain draft."), (SHAUL, INJECTED)):
        front.send("persona.requests", request_of(persona_id))
        front.send("drafts.rejected", decided(persona_id, text))
        front.send("posts.states", state_of(persona_id, text))
        front.send("posts.published", post_of(persona_id))
        produce(front, engagement(persona_id, "view", 200), engagement(persona_id, "like", 8))
    with httpx.Client(base_url=front.url, headers={"Authorization": f"Bearer {front.token}"}, timeout=30) as client:
        of_post = (f"/v1/posts/{SHAUL}/{SHAUL}-post", f"/v1/publications/{SHAUL}-publication")
        for path in (*of_post, f"/v1/drafts/{SHAUL}-draft", f"/v1/requests/{SHAUL}-request"):
            assert eventually(partial(_answers, client, path), 60), f"{path}: {client.get(path).text}"
    return front


def test_kpis_move_after_produce_with_the_page_open(shown: Front, visit: Visit) -> None:
    visit.go(f"?persona={ADA}&window=1h")
    visit.until_live()
    rate = visit.tile("engagement_rate")
    expect(rate.locator(".parts")).to_contain_text("8 engagements / of200 views", timeout=DEADLINE_MS)
    expect(rate.locator(".value")).to_have_text("4.00 %")
    produce(shown, engagement(ADA, "view", 100), engagement(ADA, "reply", 13))
    expect(rate.locator(".parts")).to_contain_text("21 engagements / of300 views", timeout=DEADLINE_MS)
    expect(rate.locator(".value")).to_have_text("7.00 %")
    expect(rate.locator(".status")).to_have_text("on target")
    expect(rate.locator(".simulated")).to_be_visible()


@pytest.mark.usefixtures("shown")
def test_a_number_leads_to_its_events_and_to_the_trace_of_the_request(visit: Visit) -> None:
    page = visit.page
    visit.go(f"?persona={SHAUL}&window=1h")
    visit.tile("engagement_rate").get_by_role("link", name="8 engagements").click(timeout=DEADLINE_MS)
    expect(page.locator("[data-ratio=engagement_rate]")).to_have_text("8 engagements / 200 views")
    page.get_by_role("link", name="Send it on the day.").click()
    expect(page.locator("main")).to_contain_text("8 engagements / 200 views")
    row = page.locator("tr", has_text="view").filter(has_text="200")
    expect(row.locator(".simulated")).to_be_visible()
    record = row.get_by_role("link")
    with page.context.expect_page() as opened:
        record.click(modifiers=["ControlOrMeta"])
    expect(opened.value.locator(".record").first).to_contain_text(SHAUL, timeout=DEADLINE_MS)
    page.get_by_role("link", name=re.compile("^trace")).click()
    expect(page.locator("main")).to_contain_text(f"a brief of {SHAUL}")
    expect(page.locator(f"[data-draft={SHAUL}-draft]")).to_contain_text("the body leaves the hook alone")


def test_what_is_not_published_says_why_and_moves_with_its_states(shown: Front, visit: Visit) -> None:
    visit.go(f"posts?persona={ADA}")
    row = visit.page.locator("section[aria-label=Publications] tbody tr")
    expect(row).to_have_count(1, timeout=DEADLINE_MS)
    expect(row.locator(".status.bad")).to_have_text("failed")
    expect(row).to_contain_text("over 500 characters: shorten it")
    expect(row.get_by_role("link")).to_have_count(0)  # an address that is none of the web's leads nowhere
    visit.until_live()
    there = replace(
        state_of(ADA, "A plain draft."),
        event_id=f"{ADA}-there",
        sequence=2,
        state="published",
        post_id=f"{ADA}-post",
        permalink="https://threads.example/@ada/post/1",
        reason=None,
    )
    shown.send("posts.states", there)
    expect(row.locator(".status.good")).to_have_text("published", timeout=DEADLINE_MS)
    expect(row.get_by_role("link", name="on the platform")).to_have_attribute("href", there.permalink or "")


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("view", ["", "drafts", "posts", "topics/drafts.rejected", f"requests/{SHAUL}-request"])
def test_a_script_in_a_draft_stays_text(visit: Visit, view: str) -> None:
    visit.go(f"{view}?persona={SHAUL}")
    expect(visit.page.locator("main")).to_contain_text("a brief of" if view.startswith("requests") else SHAUL)
    assert visit.page.evaluate("window.pwned") is None
    assert visit.page.locator("main script, main img, main b b, main iframe").count() == 0
    if view in ("drafts", f"requests/{SHAUL}-request"):
        expect(visit.page.locator(f"[data-draft={SHAUL}-draft] blockquote")).to_have_text(INJECTED)


@pytest.mark.usefixtures("shown")
def test_a_draft_shows_score_reasons_and_what_it_resembles(visit: Visit) -> None:
    visit.go(f"drafts?persona={ADA}&status=rejected")
    draft = visit.page.locator(f"[data-draft={ADA}-draft]")
    expect(draft.get_by_label("score 0.31, threshold 0.60")).to_be_visible()
    expect(draft).to_contain_text("near duplicate: it says what another draft said")
    expect(draft).to_contain_text("by 0.97")


def test_a_draft_is_accepted_and_then_rejected_by_hand_as_events(shown: Front, visit: Visit) -> None:
    visit.go(f"drafts?persona={ADA}")
    draft = visit.page.locator(f"[data-draft={ADA}-draft]")
    draft.get_by_role("button", name="Accept").click()
    expect(draft.locator(".review")).to_contain_text("accepted by hand", timeout=DEADLINE_MS)
    draft.get_by_role("button", name="Reject…").click()
    visit.page.get_by_label("Why is it rejected?").fill("zu laut 📣")
    draft.get_by_role("button", name="Reject", exact=True).click()
    expect(draft.locator(".review")).to_contain_text("zu laut 📣", timeout=DEADLINE_MS)
    visit.go(f"topics/drafts.reviews?persona={ADA}")
    expect(visit.page.locator(".record")).to_have_count(2, timeout=DEADLINE_MS)
    expect(visit.page.locator(".record").first).to_contain_text("rejected")
    assert shown.token not in visit.page.content()


@pytest.mark.usefixtures("shown")
def test_a_name_of_any_script_is_shown_in_its_own_direction(visit: Visit) -> None:
    visit.go("personas")
    name = visit.page.locator("bdi", has_text=NAME)
    expect(name).to_have_text(NAME)
    assert name.evaluate("each => getComputedStyle(each).direction") == "rtl"
    expect(visit.page.get_by_label("Persona").locator("option", has_text=NAME)).to_have_count(1)


@pytest.mark.usefixtures("front")
def test_a_persona_is_made_in_the_editor_and_judged_by_the_gateway(visit: Visit, seed: int) -> None:
    visit.go("personas/new")
    area, verdict = visit.page.get_by_label("Definition"), visit.page.locator("#verdict")
    text = area.input_value().replace("my-persona", f"edited-{seed}").replace("name: Ada", "name: عائدة ✨")
    area.fill(text.replace("topics:", "topic:"))
    expect(verdict).to_contain_text("topics", timeout=DEADLINE_MS)
    area.fill(text)
    expect(verdict).to_have_text("valid", timeout=DEADLINE_MS)
    visit.page.get_by_role("button", name="Apply").click()
    expect(visit.page.locator("main h1")).to_have_text(f"edited-{seed}", timeout=DEADLINE_MS)
    expect(visit.page.locator("main")).to_contain_text("عائدة ✨", timeout=DEADLINE_MS)


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_view(visitor: Visiting, scheme: Literal["light", "dark"]) -> None:
    with visitor(Window(scheme=scheme)) as visit:
        found = {}
        for view in (*VIEWS, f"requests/{SHAUL}-request", f"posts/{SHAUL}/{SHAUL}-post", f"personas/{SHAUL}"):
            visit.go(view)
            found[view] = visit.barriers()
        assert {view: barriers for view, barriers in found.items() if barriers} == {}


@pytest.mark.usefixtures("shown")
def test_no_view_is_wider_than_a_small_phone(visitor: Visiting) -> None:
    with visitor(Window(360, 740)) as visit:
        found = {}
        for view in (*VIEWS, f"requests/{SHAUL}-request", f"posts/{SHAUL}/{SHAUL}-post", f"personas/{SHAUL}"):
            visit.go(view)
            found[view] = visit.overhang()
        assert {view: overhang for view, overhang in found.items() if overhang > 0} == {}


@pytest.mark.usefixtures("shown")
def test_the_page_is_used_by_keyboard_alone(visit: Visit) -> None:
    page, focused = visit.page, "document.activeElement.textContent"
    visit.go("")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Send a request"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_have_text("Engagement rate")
    expect(page.locator("main h1")).to_be_focused()


@pytest.mark.usefixtures("shown")
def test_an_address_shows_the_same_view_to_another_reader(visit: Visit, visitor: Visiting) -> None:
    visit.go("drafts")
    visit.page.get_by_label("Status").select_option("rejected")
    visit.page.get_by_label("Persona").select_option(SHAUL)
    expect(visit.page.locator("[data-draft]")).to_have_count(1, timeout=DEADLINE_MS)
    address = visit.page.url
    with visitor(Window()) as other:
        other.page.goto(address)
        expect(other.page.locator("[data-draft]")).to_have_count(1, timeout=DEADLINE_MS)
        expect(other.page.get_by_label("Status")).to_have_value("rejected")


@pytest.mark.usefixtures("front")
def test_the_token_is_gone_from_the_address_once_it_has_signed_in(visit: Visit) -> None:
    assert "token" not in visit.page.url
    visit.page.go_back()
    assert "token" not in visit.page.url


def test_a_refused_token_is_told_in_the_words_of_the_gateway(front: Front, visit: Visit) -> None:
    visit.page.context.clear_cookies()
    visit.page.reload()
    visit.page.get_by_label("Token").fill("tagw_unknown")
    visit.page.get_by_role("button", name="Sign in").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("threads-agent", timeout=DEADLINE_MS)
    visit.page.get_by_label("Token").fill(front.token)
    visit.page.get_by_role("button", name="Sign in").click()
    expect(visit.page.locator("main h1")).to_have_text("Overview", timeout=DEADLINE_MS)


@pytest.mark.usefixtures("front")
def test_what_is_not_there_is_told_with_what_to_do(visit: Visit) -> None:
    visit.go("posts/nobody/none")
    expect(visit.page.get_by_role("alert").first).to_contain_text("there is no post", timeout=DEADLINE_MS)
    expect(visit.page.get_by_role("button", name="Try again").first).to_be_visible()


def numbered_request(persona_id: str, number: int) -> PersonaRequest:
    return PersonaRequest(
        event_id=f"{persona_id}-{number}", occurred_at=utc_now(), persona_id=persona_id, brief=f"brief {number:03}"
    )


def shown_briefs(visit: Visit) -> list[str]:
    """Return the briefs in the live tail, oldest first."""
    found: list[str] = visit.page.evaluate(SHOWN_BRIEFS)
    return found[::-1]


def test_a_request_that_the_form_sends_arrives_live(front: Front, visit: Visit, seed: int) -> None:
    persona_id = f"asked-{seed}"
    front.apply(persona_named(persona_id))
    visit.until_live()
    visit.go(f"requests?new=1&persona={persona_id}")
    with visit.page.context.expect_page() as opened:
        visit.page.evaluate(f"open('{visit.url}/#/?persona={persona_id}')")
    other = opened.value
    expect(other.locator("#live")).to_have_attribute("data-state", "live", timeout=DEADLINE_MS)
    visit.page.bring_to_front()
    visit.page.get_by_label("Brief").fill("an invoice that gets paid 💶")
    expect(visit.page.locator("#send-persona")).to_have_value(persona_id, timeout=DEADLINE_MS)
    visit.page.get_by_role("button", name="Send", exact=True).click()
    expect(visit.page.locator("main h1")).to_contain_text("Request ")
    card = other.locator("[data-stage=requested] .card", has_text="an invoice that gets paid 💶")
    expect(card).to_be_visible(timeout=DEADLINE_MS)
    assert visit.page.url.partition("#/")[2].startswith("requests/")
    expect(card.get_by_role("link")).to_have_attribute("href", f"#{visit.page.url.partition('#')[2]}")


def test_a_restart_of_the_gateway_loses_and_doubles_no_event(front: Front, visit: Visit, seed: int) -> None:
    persona_id = f"restarted-{seed}"
    front.apply(persona_named(persona_id))
    visit.go(f"topics/persona.requests?tail=1&persona={persona_id}")
    tail = visit.page.locator("#tail-feed")
    expect(tail).to_have_attribute("data-state", "live", timeout=DEADLINE_MS)
    front.send("persona.requests", *(numbered_request(persona_id, number) for number in range(20)))
    assert eventually(lambda: len(shown_briefs(visit)) == 20)
    front.gateway.stop()
    expect(tail).to_have_attribute("data-state", "away", timeout=DEADLINE_MS)
    front.send("persona.requests", *(numbered_request(persona_id, number) for number in range(20, 50)))
    front.gateway.start()
    front.until_ready()
    expect(tail).to_have_attribute("data-state", "live", timeout=DEADLINE_MS)
    front.send("persona.requests", *(numbered_request(persona_id, number) for number in range(50, 60)))
    assert eventually(lambda: len(shown_briefs(visit)) >= 60), shown_briefs(visit)
    assert sorted(shown_briefs(visit)) == [f"brief {number:03}" for number in range(60)]
