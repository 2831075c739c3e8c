"""Cookies know no ports: whatever another program plants in a browser, a sign-in belongs to that browser."""

from __future__ import annotations

import re
from types import SimpleNamespace
from urllib.parse import urlencode

import pyotp
import pytest
from front_door_harness import PASSWORD as DOOR_PASSWORD
from page_visitor import PASSWORD, PORT
from portal_harness import BROWSER as THROUGH_BROWSER
from starlette.responses import Response

from idc_sandbox.pages.visits import forget_cookie
from idc_sandbox.sign_in import flow
from idc_sandbox.sign_in.people import Refusal

SIGN_IN, SESSION, BROWSER, TRUSTED = "idc_sign_in", "idc_session", "idc_browser", "idc_trusted"
ASKED = "Enter your password"
OWNERS = ("idc_practice-console", "idc_mailbox", "idc_phone")


def jar(visitor):
    return dict(visitor.client.cookies)


def plant(visitor, cookies):
    """Put cookies into a browser, over its own, as a program at another port of the same host can."""
    for name, value in cookies.items():
        if name in jar(visitor):
            visitor.client.cookies.delete(name)
        visitor.client.cookies.set(name, value, domain="localhost.local", path="/")


@pytest.fixture
def attacker(place):
    """Return the browser of somebody who has begun a sign-in, and waits."""
    place.visitor().choose_password(place.invite())
    visitor = place.visitor()
    visitor.open("/start")
    visitor.send("/user-name", user_name="ana")
    assert visitor.heading == ASKED
    return visitor


@pytest.fixture
def victim(place):
    """Return the browser of the user, who has been here before."""
    visitor = place.visitor()
    visitor.open("/start")
    return visitor


@pytest.mark.parametrize("names", [(SIGN_IN,), (SIGN_IN, BROWSER), (SIGN_IN, BROWSER, SESSION)])
@pytest.mark.parametrize("device", ["require-registration", "require-email-otp", "block"])
def test_a_planted_sign_in_is_nobody_elses_to_finish(place, attacker, victim, names, device):
    place.set_mfa(user_without_device=device)
    plant(victim, {name: value for name, value in jar(attacker).items() if name in names})
    victim.open("/start")
    if victim.heading != ASKED:  # another browser's sign-in is not gone on with
        victim.send("/user-name", user_name="ana")
    victim.send("/password", password=PASSWORD)
    assert victim.heading != ASKED
    attacker.open("/start/sign-in")
    assert attacker.heading in ("Sign in", ASKED)
    assert "totp_secret" not in attacker.page.text
    assert SESSION not in jar(attacker)
    if device == "require-registration":
        victim.register_app()
        assert victim.heading == "Access portal"
    attacker.open("/start")
    assert attacker.heading in ("Sign in", ASKED)


def test_after_each_proof_the_sign_in_has_another_id(place):
    ids = []
    place.clients.console(
        "PUT",
        "settings/standard_authentication",
        {"instance_arn": place.portal.instance["InstanceArn"], "send_email_otp": True},
    )
    visitor = place.visitor()
    visitor.open("/start")
    visitor.send("/user-name", user_name="ana")
    ids.append(jar(visitor)[SIGN_IN])
    text = place.clients.console("GET", "mailbox")["messages"][0]["text"]
    code = next(word for word in text.split() if len(word) == 6 and word.isdecimal())
    visitor.send("/one-time-password", code=code)
    ids.append(jar(visitor)[SIGN_IN])
    visitor.send("/new-password", new_password=PASSWORD, confirm_password=PASSWORD)
    ids.append(jar(visitor)[SIGN_IN])
    assert visitor.value("totp_secret")
    assert len(set(ids)) == 3
    for old in ids[:2]:
        other = place.visitor()
        other.open("/start")
        plant(other, {**jar(visitor), SIGN_IN: old})
        other.open("/start/sign-in")
        assert "totp_secret" not in other.page.text


def test_in_the_domain_too_an_id_of_before_the_proof_opens_nothing(door):
    door.add_person()
    sign_in_id = door.begin("ana")
    assert door.take("password", sign_in_id, password=DOOR_PASSWORD).page == "register-device"
    with door.context() as context, pytest.raises(Refusal) as caught:
        flow.load(context, sign_in_id)
    assert caught.value.code == "sign-in-expired"


@pytest.mark.parametrize("names", [(SESSION,), (SESSION, TRUSTED), (SESSION, SIGN_IN)])
def test_a_session_is_one_browsers(ana, victim, names):
    """The attacker's own session, planted so that the victim works in the attacker's name."""
    plant(victim, {name: value for name, value in jar(ana).items() if name in names})
    victim.open("/start")
    assert victim.heading == "Sign in"


@pytest.mark.parametrize("path", ["/start", "/start/device", "/start/sign-in", "/authorize", "/start/"])
def test_of_two_cookies_of_one_name_neither_is_believed(place, ana, path):
    """A longer path makes the planted cookie come first, so that one page alone is the attacker's."""
    own = jar(ana)
    for order in (("planted" * 5, own[SESSION]), (own[SESSION], "planted" * 5)):
        other = place.visitor()
        headers = {"cookie": "; ".join([f"{BROWSER}={own[BROWSER]}", *(f"{SESSION}={one}" for one in order)])}
        other.open("/start", **headers)
        assert other.heading == "Sign in"
        page = other.open(f"{path.rstrip('/')}", follow=False, **headers)
        gone = [one for one in page.headers.get_list("set-cookie") if one.startswith(f"{SESSION}=")]
        assert {f"Path={path}", "Path=/"} <= {part.strip() for one in gone for part in one.split(";")}
        assert all("Max-Age=0" in one for one in gone)


def test_two_cookies_that_say_the_same_are_one(ana, place):
    own = jar(ana)
    cookie = f"{SESSION}={own[SESSION]}; {SESSION}={own[SESSION]}; {BROWSER}={own[BROWSER]}; theme=a; theme=b"
    other = place.visitor()
    other.open("/start", cookie=cookie)
    assert other.heading == "Access portal"


def test_who_was_sent_two_cookies_is_told_and_can_sign_in(ana):
    ana.client.cookies.set(SIGN_IN, "planted" * 6, domain="localhost.local", path="/start")
    ana.client.cookies.set(SESSION, "planted" * 6, domain="localhost.local", path="/start/sign-in")
    ana.send("/sign-out")
    ana.client.cookies.set(SESSION, "planted" * 6, domain="localhost.local", path="/start")
    ana.client.cookies.set(SESSION, "planted" * 7, domain="localhost.local", path="/start/sign-in")
    ana.open("/start/sign-in")
    assert "two different cookies" in ana.message
    ana.open("/start/sign-in")
    assert "two different cookies" not in ana.message
    ana.sign_in()
    assert ana.heading == "Access portal"


@pytest.mark.parametrize("name", OWNERS)
def test_an_owners_cookie_is_one_browsers(place, name):
    owner, other = place.visitor(), place.visitor()
    for link in ("console_url", "mailbox_url", "phone_url"):
        owner.open(place.links()[link].partition(str(PORT))[2])
        assert owner.page.status_code == 200
    other.open("/start")
    plant(other, {name: jar(owner)[name]})
    for path in ("/start/practice-console", "/start/mailbox", "/start/phone"):
        assert other.open(path).status_code == 403
        assert owner.open(path).status_code == 200


def test_a_trusted_browser_is_one_browser(place):
    place.set_mfa(prompt="context-aware")
    trusted = place.visitor()
    trusted.choose_password(place.invite())
    trusted.sign_in()
    code = pyotp.TOTP(trusted.value("totp_secret")).now()
    trusted.send("/register-totp", code=code, trust_browser="yes")
    assert trusted.heading == "Access portal"
    thief = place.visitor()
    thief.open("/start")
    plant(thief, {TRUSTED: jar(trusted)[TRUSTED]})
    thief.sign_in()
    assert thief.heading != "Access portal"
    trusted.send("/sign-out")
    trusted.sign_in()
    assert trusted.heading == "Access portal"


ELSEWHERE = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},  # another port of localhost
    {"sec-fetch-site": "same-site", "origin": f"http://localhost:{PORT}"},
    {"origin": "http://localhost:9999"},
    {"origin": "http://evil.example"},
    {"origin": f"https://localhost:{PORT}"},
    {"origin": f"http://127.0.0.1:{PORT}"},
]
HERE = [{}, {"sec-fetch-site": "same-origin"}, {"origin": f"http://localhost:{PORT}"}, {"origin": "null"}]


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
@pytest.mark.parametrize(
    "path",
    [
        "/start/sign-in/user-name",
        "/start/practice-console/settings/authentication/session-duration",
        "/start/sign-out",
    ],
)
def test_a_form_of_another_origin_is_refused_even_with_the_token(ana, path, headers):
    data = {"csrf_token": ana.csrf_token(), "user_name": "ana"}
    assert ana.client.post(path, data=data, headers=headers).status_code == 403
    assert ana.open("/start").status_code == 200
    assert ana.heading == "Access portal"


@pytest.mark.parametrize("headers", HERE, ids=str)
def test_a_form_of_this_origin_is_taken(ana, headers):
    data = {"csrf_token": ana.csrf_token()}
    ana.client.post("/start/sign-out", data=data, headers=headers)
    ana.open("/start")
    assert ana.heading == "Sign in"


def test_consent_is_given_in_the_browser_that_signed_in(ana, place, victim):
    """With a session planted from elsewhere there is neither page nor answer."""
    client = place.portal.register()
    code = place.portal.start(client)["userCode"]
    through_browser = place.portal.register(**THROUGH_BROWSER)
    query = urlencode(place.portal.authorize_parameters(through_browser["clientId"]))
    plant(victim, {SESSION: jar(ana)[SESSION]})
    for path in (f"/start/device?user_code={code}", f"/authorize?{query}"):
        victim.open(path)
        assert victim.heading == "Sign in"
        answer = victim.client.post(path, data={"csrf_token": ana.csrf_token(), "answer": "allow"})
        assert answer.status_code == 403


@pytest.mark.parametrize(("but", "goes"), [("", True), ("/", False)])
def test_behind_a_prefix_a_cookie_of_the_same_pages_without_it_goes_too_where_it_may(but, goes):
    answer, url = Response(), SimpleNamespace(path="/start")
    visit = SimpleNamespace(
        site=SimpleNamespace(prefix="/lab", scheme="http"), request=SimpleNamespace(url=url)
    )
    forget_cookie(answer, visit, BROWSER, but=but)
    paths = set(re.findall(r"Path=([^;]+)", " ".join(answer.headers.getlist("set-cookie")), re.IGNORECASE))
    assert ("/" in paths, "/lab/start" in paths) == (goes, True)
