"""Mailbox and practice console: open to who holds the owner's link, closed to others on the machine."""

from __future__ import annotations

import re
import time

import pytest
from page_visitor import PASSWORD

from idc_sandbox.pages.front_door import COOKIE_LIFETIME_S, LIFETIME_S, Seals

CLOSED = 403


@pytest.mark.parametrize("path", ["/start/mailbox", "/start/mailbox/any", "/start/practice-console"])
@pytest.mark.parametrize("key", ["", "?key=", "?key=invented", "?key=é.é.é"])
def test_without_the_link_they_are_closed(place, path, key):
    place.invite()
    visitor = place.visitor()
    answer = visitor.open(f"{path}{key}")
    assert answer.status_code == CLOSED
    assert "Invitation" not in answer.text
    assert "idc sandbox pages" in visitor.message


def test_a_link_for_another_purpose_opens_nothing(place):
    visitor = place.visitor()
    mailbox_key = place.links()["mailbox_url"].partition("key=")[2]
    assert visitor.open(f"/start/practice-console?key={mailbox_key}").status_code == CLOSED
    assert visitor.open("/start/practice-console").status_code == CLOSED
    visitor.client.cookies.set(
        "idc_practice-console",
        Seals("form", "another key").seal("practice-console-cookie", ["administrator"]),
    )
    assert visitor.open("/start/practice-console").status_code == CLOSED


@pytest.mark.parametrize(
    ("link", "path", "heading"),
    [
        ("mailbox", "/start/mailbox", "Mailbox"),
        ("console", "/start/practice-console", "Dashboard"),
        ("console", "/start/practice-console/settings/authentication", "Settings: Authentication"),
    ],
)
def test_a_link_works_once(place, link, path, heading):
    key = place.links()[f"{link}_url"].partition("?")[2]
    address = path
    path = f"{path}?{key}"
    first, second = place.visitor(), place.visitor()
    first.open(path)
    assert first.heading == heading
    assert first.page.url.path == address
    assert first.page.url.query == b""
    assert second.open(path).status_code == CLOSED
    assert "used already" in second.message
    assert "idc sandbox pages" in second.message
    first.open(path)  # who has used it is not sent away
    assert first.heading == heading
    assert second.open(address).status_code == CLOSED


def test_a_program_that_looks_at_a_link_first_does_not_use_it_up(place):
    path = place.links()["console_url"].partition("8723")[2]
    visitor = place.visitor()
    visitor.client.head(path)
    assert visitor.open(path).status_code == 200


def test_a_link_ends(place):
    visitor = place.visitor()
    url = place.links()["console_url"]
    place.now += LIFETIME_S + 1
    assert visitor.open(url.partition("8723")[2]).status_code == CLOSED
    assert "older than 10 minutes" in visitor.message


def test_a_cookie_ends(place, monkeypatch):
    visitor = place.visitor()
    visitor.open(place.links()["console_url"].partition("8723")[2])
    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + COOKIE_LIFETIME_S + 2)
    assert visitor.open("/start/practice-console").status_code == CLOSED


def test_all_mail_is_read_with_the_owners_link_and_the_key_leaves_the_address(place):
    other_id = place.portal.add_user("berta")
    place.invite()
    place.invite(other_id)
    visitor = place.visitor()
    visitor.open(place.links()["mailbox_url"].partition("8723")[2])
    assert visitor.page.url.query == b""
    assert visitor.page.text.count("Invitation to join the practice portal") == 2
    visitor.open("/start/mailbox?address=BERTA@example.com")
    assert visitor.page.text.count("Invitation to join the practice portal") == 1
    message = re.findall(r'href="(/start/mailbox/[^"?]+)"', visitor.page.text)[0]
    visitor.open(message)
    assert visitor.value("to_address") == "berta@example.com"
    link = re.findall(r'href="(/start/invitation/[^"]+)"', visitor.page.text)[0]
    visitor.choose_password(link, PASSWORD)
    assert visitor.message.startswith("Your password is set")


def test_one_address_opens_one_mailbox(place):
    other_id = place.portal.add_user("berta")
    place.invite()
    theirs = place.clients.console("POST", f"users/{other_id}/invite")["message"]["message_id"]
    visitor = place.visitor()
    visitor.open(place.links("ana@example.com")["mailbox_url"].partition("8723")[2])
    assert visitor.page.text.count("Invitation to join the practice portal") == 1
    assert "berta" not in visitor.page.text
    assert visitor.open(f"/start/mailbox/{theirs}").status_code == 404
    visitor.open("/start/mailbox?address=berta@example.com")
    assert "Invitation" not in visitor.page.text.replace("An invitation", "")
    visitor.open(place.links("berta@example.com")["mailbox_url"].partition("8723")[2])
    assert visitor.page.text.count("Invitation to join the practice portal") == 2


def settings_of(place) -> dict[str, object]:
    return place.clients.console("GET", "settings", {"instance_arn": place.portal.instance["InstanceArn"]})


def test_the_old_address_of_the_settings_leads_to_the_console(place):
    visitor = place.visitor()
    visitor.open(place.links()["console_url"].partition("8723")[2])
    visitor.open("/start/settings")
    assert visitor.heading == "Settings: Authentication"


def test_who_is_signed_in_is_no_administrator(ana, place):
    before = settings_of(place)
    assert ana.open("/start/practice-console").status_code == CLOSED
    ana.open("/start")
    data = {"csrf_token": ana.csrf_token(), "prompt": "never"}
    for name in ("authentication/mfa", "portal-url"):
        answer = ana.client.post(f"/start/practice-console/settings/{name}", data=data)
        assert answer.status_code == CLOSED
    assert settings_of(place) == before
