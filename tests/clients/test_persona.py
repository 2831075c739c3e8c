"""The scripted person at the pages: what a person can do there, and what the pages refuse."""

from __future__ import annotations

import httpx
import pytest

from idc_sandbox.persona import Browser, PersonaError


@pytest.fixture(scope="module")
def mary(house):
    return house.active_person("mary.major")


def test_sign_in_registers_an_app(house, mary):
    devices = house.control("GET", f"console/users/{house.user_id('mary.major')}/mfa-devices")["mfa_devices"]
    assert [device["kind"] for device in devices] == ["totp"]
    assert mary.portal()


def test_access_keys_and_console(mary):
    role = mary.portal()[0]
    keys = mary.access_keys(**role)
    assert keys["access_key_id"].startswith("ASIA")
    assert keys["start_url"].endswith("/start")
    shown = mary.open_console(**role)
    assert (shown["account_id"], shown["role_name"]) == (role["account_id"], role["role_name"])


def test_who_is_not_signed_in_sees_nothing(house):
    with pytest.raises(PersonaError, match="not signed in"):
        house.person("mary.major").portal()


def test_no_role_no_keys(mary):
    with pytest.raises(PersonaError, match="No access"):
        mary.access_keys("999988887777", "AdministratorAccess")


def test_an_unknown_code_is_refused(mary):
    with pytest.raises(PersonaError, match="code was not taken"):
        mary.approve_device("BCDF-GHJK")


def test_a_wrong_password_is_refused(house, mary):
    stranger = house.person("mary.major")
    with pytest.raises(PersonaError, match="says"):
        stranger.sign_in("Not-the-right-1!", mary.totp_secret)


def test_nothing_is_sent_to_another_site(mary):
    with pytest.raises(PersonaError, match="nothing was sent there"):
        mary.browser.open("http://example.com/start")


@pytest.mark.parametrize(
    ("site_url", "address", "is_own"),
    [
        ("http://localhost:80", "/start", True),
        ("https://hub.example.org:443/user/ana", "/start", True),
        ("http://LocalHost:8723", "/start", True),
        ("http://localhost:8723", "http://LOCALHOST:8723/start", True),
        ("http://localhost:80", "http://localhost:8723/start", False),
        ("http://localhost:443", "https://localhost/start", False),
        ("https://hub.example.org", "https://example.org/start", False),
    ],
)
def test_a_site_is_known_however_its_address_is_written(site_url, address, is_own):
    pages = httpx.MockTransport(lambda _request: httpx.Response(200, text="<h1>Sign in</h1>"))
    browser = Browser(site_url, httpx.Client(transport=pages))
    if is_own:
        assert browser.open(address).heading == "Sign in"
    else:
        with pytest.raises(PersonaError, match="nothing was sent there"):
            browser.open(address)


def test_a_used_invitation_is_refused(house, mary):
    message = house.person("mary.major").read_mail(house.links["mailbox_url"], subject="invitation")
    with pytest.raises(PersonaError, match="no form"):
        house.person("mary.major").accept_invitation(message["link"])


def test_another_process_goes_on_where_this_one_stopped(house, mary):
    other = house.person("mary.major")
    other.recall(mary.memory)
    assert other.portal() == mary.portal()


def test_sign_out_ends_the_session(house, mary):
    mary.sign_in()
    assert "signed out" in mary.sign_out()
    with pytest.raises(PersonaError, match="not signed in"):
        mary.portal()
