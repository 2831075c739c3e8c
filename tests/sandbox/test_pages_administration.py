"""Mailbox and settings: open to who holds the sandbox owner's link, closed to others on the machine."""

from __future__ import annotations

import re
import time

import pytest
from page_visitor import PASSWORD

from idc_sandbox.pages.front_door import COOKIE_LIFETIME_S, LIFETIME_S, Seals

CLOSED = 403


@pytest.mark.parametrize("path", ["/start/mailbox", "/start/mailbox/any", "/start/settings"])
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
    assert visitor.open(f"/start/settings?key={mailbox_key}").status_code == CLOSED
    assert visitor.open("/start/settings").status_code == CLOSED
    visitor.client.cookies.set(
        "idc_settings", Seals("form", "another key").seal("settings-cookie", ["administrator"])
    )
    assert visitor.open("/start/settings").status_code == CLOSED


@pytest.mark.parametrize(
    ("name", "heading"), [("mailbox", "Mailbox"), ("settings", "Settings: Authentication")]
)
def test_a_link_works_once(place, name, heading):
    path = place.links()[f"{name}_url"].partition("8723")[2]
    first, second = place.visitor(), place.visitor()
    first.open(path)
    assert first.heading == heading
    assert second.open(path).status_code == CLOSED
    assert "used already" in second.message
    assert "idc sandbox pages" in second.message
    first.open(path)  # who has used it is not sent away
    assert first.heading == heading
    assert second.open(f"/start/{name}").status_code == CLOSED


def test_a_program_that_looks_at_a_link_first_does_not_use_it_up(place):
    path = place.links()["settings_url"].partition("8723")[2]
    visitor = place.visitor()
    visitor.client.head(path)
    assert visitor.open(path).status_code == 200


def test_a_link_ends(place):
    visitor = place.visitor()
    url = place.links()["settings_url"]
    place.now += LIFETIME_S + 1
    assert visitor.open(url.partition("8723")[2]).status_code == CLOSED
    assert "older than 10 minutes" in visitor.message


def test_a_cookie_ends(place, monkeypatch):
    visitor = place.visitor()
    visitor.open(place.links()["settings_url"].partition("8723")[2])
    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + COOKIE_LIFETIME_S + 2)
    assert visitor.open("/start/settings").status_code == CLOSED


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


@pytest.fixture
def administrator(place):
    """Return a browser with the settings open."""
    visitor = place.visitor()
    visitor.open(place.links()["settings_url"].partition("8723")[2])
    assert visitor.heading == "Settings: Authentication"
    return visitor


def settings_of(place) -> dict[str, object]:
    return place.clients.console("GET", "settings", {"instance_arn": place.portal.instance["InstanceArn"]})


def test_the_settings_are_shown_as_they_are_and_written(place, administrator):
    assert 'value="context-aware" checked' in administrator.page.text
    administrator.send(
        "/multi_factor_authentication",
        prompt="always-on",
        allowed_types=["authenticator-apps"],
        user_without_device="block",
    )
    assert "saved" in administrator.message
    assert settings_of(place)["multi_factor_authentication"] == {
        "prompt": "always-on",
        "allowed_types": ["authenticator-apps"],
        "user_without_device": "block",
        "users_manage_own_devices": False,
    }
    administrator.send("/standard_authentication", send_email_otp="yes")
    assert settings_of(place)["standard_authentication"] == {"send_email_otp": True}
    administrator.send("/standard_authentication")
    assert settings_of(place)["standard_authentication"] == {"send_email_otp": False}


@pytest.mark.parametrize(
    ("number", "unit", "iso"), [("90", "minutes", "PT90M"), ("12", "hours", "PT12H"), ("90", "days", "P90D")]
)
def test_session_durations_are_written_and_shown_again(place, administrator, number, unit, iso):
    background = {"user_background_number": "7", "user_background_unit": "days"}
    administrator.send("/sessions", user_interactive_number=number, user_interactive_unit=unit, **background)
    assert settings_of(place)["sessions"] == {"user_interactive": iso, "user_background": "P7D"}
    assert f'name="user_interactive_number" type="number" min="1" max="129600" value="{number}"' in (
        administrator.page.text
    )


@pytest.mark.parametrize(
    ("number", "unit", "message"),
    [
        ("14", "minutes", "15 minutes"),
        ("91", "days", "90 days"),
        ("-1", "hours", "whole number"),
        ("1.5", "hours", "whole number"),
        ("٣", "hours", "whole number"),
        ("9" * 99, "hours", "whole number"),
        ("8", "years", "whole number"),
        ("", "", "whole number"),
    ],
)
def test_durations_that_the_console_would_not_take_change_nothing(
    place, administrator, number, unit, message
):
    before = settings_of(place)
    background = {"user_background_number": "7", "user_background_unit": "days"}
    administrator.send("/sessions", user_interactive_number=number, user_interactive_unit=unit, **background)
    assert message in administrator.message
    assert settings_of(place) == before


@pytest.mark.parametrize(
    "values", [{}, {"prompt": "sometimes"}, {"prompt": "always-on", "allowed_types": "sms"}]
)
def test_mfa_values_that_do_not_exist_change_nothing(place, administrator, values):
    before = settings_of(place)
    administrator.send("/multi_factor_authentication", **values)
    assert administrator.message.startswith("Problem")
    assert settings_of(place) == before


def test_who_is_signed_in_is_no_administrator(ana, place):
    before = settings_of(place)
    assert ana.open("/start/settings").status_code == CLOSED
    ana.open("/start")
    data = {"csrf_token": ana.csrf_token(), "prompt": "never"}
    for name in ("multi_factor_authentication", "access_portal"):
        answer = ana.client.post(f"/start/settings/{name}", data=data)
        assert answer.status_code == CLOSED
    assert settings_of(place) == before


def test_other_settings_have_no_form_here(place, administrator):
    data = {"csrf_token": administrator.csrf_token(), "enabled": "no"}
    assert administrator.client.post("/start/settings/account_instances", data=data).status_code == 404
