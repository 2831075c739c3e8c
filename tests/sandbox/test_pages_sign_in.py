"""The sign-in's pages: what is typed wrong, replayed, forged, too long or in any script does no harm."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

import pyotp
import pytest
from page_visitor import KEYS, PASSWORD, PORT, client_of

from idc_sandbox.loopback import Sites
from idc_sandbox.server import make_application

UNKNOWN = "That user name and password do not go together. Check both, and try again."


@pytest.fixture
def new(place):
    """Return a browser of a user who has a password and needs no device."""
    place.set_mfa(user_without_device="allow")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    return visitor


@pytest.mark.parametrize("user_name", ["ana", "nobody", "Ana López 🦊", "x" * 5000, "<b>ana</b>"])
def test_a_wrong_password_reads_the_same_for_everybody(new, user_name):
    new.sign_in(password="Wrong-password-1", user_name=user_name)
    assert (new.heading, new.message) == ("Enter your password", f"Problem: {UNKNOWN}")
    assert "<b>ana</b>" not in new.page.text
    assert "idc_session" not in new.client.cookies


def test_the_user_name_is_needed_and_can_be_changed(new):
    new.open("/start")
    new.send("/user-name", user_name=" ")
    assert new.message == "Problem: Enter your user name."
    new.send("/user-name", user_name="nobody")
    new.send("/start-again")
    assert new.heading == "Sign in"


def test_failures_slow_the_next_try_down_and_no_one_is_locked_out(new, place):
    new.sign_in(password="wrong")
    for _ in range(4):
        new.send("/password", password="wrong")
    answer = new.send("/password", password=PASSWORD)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "too many failed attempts" in new.message
    place.clients.advance_clock(60)
    new.send("/password", password=PASSWORD)
    assert new.heading == "Access portal"


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(new):
    new.sign_in()
    new.send("/sign-out", follow=False)
    new.open("/start/sign-in")
    new.send("/user-name", user_name="ana")
    answer = new.send("/password", follow=False, password=PASSWORD)
    cookies = {one.partition("=")[0]: one for one in answer.headers.get_list("set-cookie")}
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookies["idc_session"].split("; "))
    assert "Max-Age=0" in cookies["idc_sign_in"]


@pytest.mark.parametrize("token", ["", "0" * 64, "é", "theirs"])
def test_a_form_that_was_not_made_for_this_browser_changes_nothing(new, place, token):
    if token == "theirs":
        other = place.visitor()
        other.open("/start")
        other.open("/start/sign-in")
        token = other.csrf_token()
    new.open("/start")
    answer = new.send("/user-name", user_name="ana", csrf_token=token)
    assert (answer.status_code, new.heading) == (403, "This form is out of date")
    new.open("/start/sign-in")
    assert new.heading == "Sign in"


def test_a_form_from_before_the_sign_in_is_out_of_date_after_it(new):
    new.open("/start")
    early = new.csrf_token()
    new.sign_in()
    assert new.send("/sign-out", csrf_token=early).status_code == 403
    assert new.open("/start").status_code == 200
    assert new.heading == "Access portal"


def test_a_form_that_another_site_sends_is_refused_even_with_the_token(new):
    new.open("/start")
    data = {"csrf_token": new.csrf_token(), "user_name": "ana"}
    headers = {"sec-fetch-site": "cross-site"}
    assert new.client.post("/start/sign-in/user-name", data=data, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/start",
        "/\\evil.example",
        "/start/../../evil",
        "/start/%2e%2e/%2E./hub/logout",
        "/start/.%2e/evil",
        "/start\r\nSet-Cookie: a=b",
        "/startle",
        "/start@evil.example",
        "javascript:alert(1)",
        "/_sandbox/health",
        "/start/sign-in",
        "/start?" + "a" * 7000,
    ],
)
def test_after_the_sign_in_nobody_is_led_elsewhere(new, wanted):
    new.open(f"/start/sign-in?next={quote(wanted, safe='')}")
    assert all("evil" not in action for action in new.actions())
    new.send("/user-name", user_name="ana")
    answer = new.send("/password", follow=False, password=PASSWORD)
    assert answer.headers["location"] == "/start"


def test_after_the_sign_in_the_wanted_page_is_shown(new):
    new.sign_in(path="/start/console?account_id=123&role_name=a%2Bb")
    assert str(new.page.url).endswith("/start/console?account_id=123&role_name=a%2Bb")


def test_an_app_is_registered_by_its_code_and_a_code_is_good_once(place):
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    assert visitor.heading == "Register an MFA device"
    secret = visitor.value("totp_secret")
    visitor.send("/register-totp", code="000 000")
    assert "not the code that your app shows" in visitor.message
    assert visitor.value("totp_secret") == secret
    used = pyotp.TOTP(secret).now()
    visitor.send("/register-totp", code=f" {used[:3]} {used[3:]} ", name="Téléphone ☎")
    assert visitor.heading == "Access portal"
    visitor.open("/start/devices")
    assert "Téléphone ☎" in visitor.page.text
    visitor.send("/sign-out")
    visitor.sign_in()
    assert visitor.heading == "Prove that it is you"
    visitor.send("/totp", code=used)
    assert "wrong or was used already" in visitor.message
    visitor.send("/totp", code=pyotp.TOTP(secret).at(int(time.time()) + 30))
    assert visitor.heading == "Access portal"


def test_a_kind_that_was_disallowed_meanwhile_is_not_offered(place):
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    assert visitor.value("totp_secret")
    place.set_mfa(allowed_types=["security-keys-and-built-in-authenticators"])
    visitor.open("/start/sign-in")
    assert visitor.heading == "Register an MFA device"
    kinds = [action.partition("?")[0].rpartition("/")[2] for action in visitor.actions()]
    assert kinds == ["register-webauthn", "start-again"]


def test_an_answer_to_an_earlier_step_shows_the_step_that_is_next(place):
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    data = {"csrf_token": visitor.csrf_token(), "password": PASSWORD}
    visitor.page = visitor.client.post("/start/sign-in/password", data=data)
    assert visitor.heading == "Register an MFA device"


def test_a_step_cannot_be_skipped(new):
    new.open("/start")
    data = {"csrf_token": new.csrf_token()}
    for step in ("password", "totp", "webauthn", "email-code", "new-password", "register-totp"):
        new.page = new.client.post(f"/start/sign-in/{step}", data=data)
        assert new.heading == "Sign in"
    assert new.client.post("/start/sign-in/no-such-step", data=data).status_code == 404


def test_a_sign_in_that_took_too_long_starts_again(new, place):
    new.open("/start")
    new.send("/user-name", user_name="ana")
    place.clients.advance_clock(16 * 60)
    new.send("/password", password=PASSWORD)
    assert (new.heading, new.message) == ("Sign in", "This sign-in is over, or took too long. Start again.")


def test_a_one_time_password_must_be_replaced(place):
    place.set_mfa(user_without_device="allow")
    given = place.clients.console(
        "POST", f"users/{place.portal.user_id}/reset-password", {"delivery": "one-time-password"}
    )["one_time_password"]
    visitor = place.visitor()
    visitor.sign_in(password=given)
    assert visitor.heading == "Choose a new password"
    visitor.send("/new-password", new_password=PASSWORD, confirm_password="Another-one-2")
    assert "differ" in visitor.message
    visitor.send("/new-password", new_password=given, confirm_password=given)
    assert "and from the one you were given" in visitor.message
    visitor.send("/new-password", new_password=PASSWORD, confirm_password=PASSWORD)
    assert visitor.heading == "Access portal"


@pytest.mark.parametrize("over", ["disabled", "ended", "expired"])
def test_a_session_that_is_over_leads_to_the_sign_in(new, place, over):
    new.sign_in()
    user_id = place.portal.user_id
    if over == "disabled":
        place.clients.console("POST", f"users/{user_id}/disable")
    elif over == "ended":
        place.clients.console("POST", f"users/{user_id}/sessions/delete")
    else:
        place.clients.advance_clock(8 * 3600 + 1)
    new.open("/start/devices")
    assert (new.heading, new.message) == ("Sign in", "Your session is over. Sign in again.")
    new.send("/user-name", user_name="ana")
    new.send("/password", password=PASSWORD)
    assert new.heading == ("You cannot sign in" if over == "disabled" else "My MFA devices")


def test_the_portal_session_lasts_as_long_as_the_setting_says(new, place):
    arn = place.portal.instance["InstanceArn"]
    place.clients.console("PUT", "settings/sessions", {"user_interactive": "PT15M", "instance_arn": arn})
    new.sign_in()
    place.clients.advance_clock(14 * 60)
    new.open("/start")
    assert new.heading == "Access portal"
    place.clients.advance_clock(61)
    new.open("/start")
    assert new.heading == "Sign in"


def test_signing_out_ends_the_session_wherever_its_cookie_is(new, place):
    new.sign_in()
    token = new.client.cookies["idc_session"]
    new.send("/sign-out")
    assert new.message == "You are signed out."
    thief = place.visitor()
    thief.client.cookies.set("idc_session", token, domain="localhost.local")
    thief.open("/start")
    assert thief.heading == "Sign in"


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ("used", 410, "has been used already"),
        ("expired", 410, "has expired"),
        ("invented", 404, "opens nothing"),
        ("replaced", 404, "a newer one has replaced it"),
    ],
)
def test_an_invitation_is_good_once_and_for_a_while(place, change, status, message):
    link, visitor = place.invite(), place.visitor()
    if change == "used":
        visitor.choose_password(link)
    elif change == "expired":
        place.clients.advance_clock(7 * 86_400 + 1)
    elif change == "replaced":
        place.invite()
    else:
        link = "/start/invitation/" + "é" * 300
    answer = visitor.open(link)
    assert answer.status_code == status
    assert message in visitor.message
    visitor.open("/start/sign-in")
    data = {"csrf_token": visitor.csrf_token(), "new_password": PASSWORD, "confirm_password": "Another-one-2"}
    visitor.page = visitor.client.post(link, data=data)
    assert (visitor.page.status_code, visitor.heading) == (status, "This link opens nothing")
    assert message in visitor.message


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("short", "short", "8 to 64 characters"),
        ("Aa1!" * 17, "Aa1!" * 17, "8 to 64 characters, and has 68"),
        ("alllowercase1!", "alllowercase1!", "uppercase"),
        ("Practice-makes-1", "Practice-makes-2", "differ"),
        ("", "", "8 to 64 characters"),
    ],
)
def test_a_password_that_is_no_good_leaves_the_invitation_usable(place, first, second, message):
    link, visitor = place.invite(), place.visitor()
    visitor.open(link)
    visitor.send(link, new_password=first, confirm_password=second)
    assert message in visitor.message
    visitor.send(link, new_password="Übung-macht-1", confirm_password="Übung-macht-1")
    assert visitor.message == "Your password is set. Sign in with it now."


def test_a_form_that_is_too_large_or_no_form_is_refused(new):
    new.open("/start")
    token = new.csrf_token()
    large = new.client.post(
        "/start/sign-in/user-name", data={"csrf_token": token, "user_name": "x" * 200_000}
    )
    many = new.client.post(
        "/start/sign-in/user-name", data={"csrf_token": token, **{f"a{i}": "" for i in range(1001)}}
    )
    assert (large.status_code, many.status_code) == (413, 413)
    json_body = new.client.post("/start/sign-in/user-name", json={"csrf_token": token, "user_name": "ana"})
    assert json_body.status_code == 403


def test_before_identity_center_is_enabled_the_page_says_so(gateway_client):
    application = make_application(gateway_client.gateway, sites=Sites(PORT), keys=KEYS, stop=lambda: None)
    answer = client_of(application, base_url=f"http://localhost:{PORT}").get("/start")
    assert answer.status_code == 400
    assert "has not enabled Identity Center" in re.sub(r"\s+", " ", answer.text)
