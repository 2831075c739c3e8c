"""Consent for programs: nothing is given without a person's answer, and nobody is led to a stranger."""

from __future__ import annotations

import html
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError
from page_visitor import PASSWORD, PORT, client_of
from portal_harness import BROWSER, REDIRECT_URI, VERIFIER

from idc_sandbox.api.oidc.authorizations import check_authorize
from idc_sandbox.persona import Persona, PersonaError


@pytest.fixture
def waiting(place):
    """Return a program, and what it waits with."""
    client = place.portal.register(clientName="A <b>program</b>")
    return client, place.portal.start(client)


def test_the_code_is_confirmed_then_access_allowed(ana, place, waiting):
    client, started = waiting
    ana.open("/start/device?user_code=" + started["userCode"].lower())
    assert (ana.heading, ana.value("user_code")) == ("Compare the code", started["userCode"])
    ana.send("/confirm", user_code=started["userCode"], same="yes")
    assert ana.heading == "Allow A <b>program</b> to access your data?"
    assert "<b>" not in ana.page.text
    with pytest.raises(ClientError, match="AuthorizationPending"):
        place.portal.poll(client, started["deviceCode"])
    ana.send("/answer", user_code=started["userCode"], answer="allow")
    assert ana.heading == "Request approved"
    assert place.portal.poll(client, started["deviceCode"])["accessToken"]


@pytest.mark.parametrize("answer", ["deny", "", "ALLOW"])
def test_whatever_is_not_allow_denies(ana, place, waiting, answer):
    client, started = waiting
    ana.open(f"/start/device?user_code={started['userCode']}")
    ana.send("/confirm", user_code=started["userCode"], same="yes")
    ana.send("/answer", user_code=started["userCode"], answer=answer)
    assert ana.heading == "Request denied"
    with pytest.raises(ClientError, match="AccessDenied"):
        place.portal.poll(client, started["deviceCode"])


def test_a_code_that_differs_denies(ana, place, waiting):
    client, started = waiting
    ana.open(f"/start/device?user_code={started['userCode']}")
    ana.send("/confirm", user_code=started["userCode"], same="no")
    assert ana.heading == "Request denied"
    with pytest.raises(ClientError, match="AccessDenied"):
        place.portal.poll(client, started["deviceCode"])


@pytest.mark.parametrize("code", ["BBBB-BBBB", "<script>", "é" * 99, "-"])
def test_an_unknown_code_is_refused(ana, code):
    ana.page = ana.client.get("/start/device", params={"user_code": code})
    assert "No program waits with this code" in ana.message
    assert "<script>" not in ana.page.text


@pytest.mark.parametrize("end", ["expired", "answered", "signed out"])
def test_a_code_that_is_over_is_refused(ana, place, waiting, end):
    _, started = waiting
    code = {"user_code": started["userCode"]}
    ana.open(f"/start/device?user_code={started['userCode']}")
    ana.send("/confirm", same="yes", **code)
    data = {"csrf_token": ana.csrf_token(), "answer": "allow", **code}
    if end == "expired":
        place.clients.advance_clock(601)
    elif end == "answered":
        ana.send("/answer", answer="deny", **code)
    else:
        place.clients.console("POST", f"users/{place.portal.user_id}/sessions/delete")
    ana.page = ana.client.post("/start/device/answer", data=data)
    if end == "signed out":
        assert ana.heading == "Sign in"
    else:
        assert end in ana.message


@pytest.fixture
def query(place):
    """Return the query of a program that asks through the browser."""
    return place.portal.authorize_parameters(place.portal.register(**BROWSER)["clientId"])


def test_a_program_gets_its_code_after_consent_only(ana, place, query):
    ana.open(f"/authorize?{urlencode(query)}", follow=False)
    assert ana.page.status_code == 200
    answer = ana.send("/authorize", follow=False, answer="allow")
    assert answer.status_code == 303
    url = urlsplit(answer.headers["location"])
    assert answer.headers["location"].startswith(REDIRECT_URI)
    given = parse_qs(url.query)
    assert given["state"] == ["a state"]
    client = place.portal.register(**BROWSER)
    with pytest.raises(ClientError):  # another program's
        place.portal.oidc.create_token(
            **client,
            grantType="authorization_code",
            code=given["code"][0],
            codeVerifier=VERIFIER,
            redirectUri=REDIRECT_URI,
        )


@pytest.mark.parametrize("said", ["deny", "", "ALLOW"])
def test_a_program_that_is_not_allowed_hears_so(ana, query, said):
    ana.open(f"/authorize?{urlencode(query)}")
    answer = ana.send("/authorize", follow=False, answer=said)
    given = parse_qs(urlsplit(answer.headers["location"]).query)
    assert given["error"] == ["access_denied"]
    assert "code" not in given


def test_who_is_not_signed_in_keeps_the_question(place, query):
    place.set_mfa(user_without_device="allow")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in(path=f"/authorize?{urlencode(query)}")
    assert visitor.heading == "Allow tests to access your data?"
    answer = visitor.send("/authorize", follow=False, answer="allow")
    assert "code=" in answer.headers["location"]


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/oauth/callback",
        "http://127.0.0.1.evil.example:80/oauth/callback",
        "http://127.0.0.1:80@evil.example/oauth/callback",
        "http://localhost:45123/oauth/callback",
        "http://127.0.0.1:45123/elsewhere",
        "http://127.0.0.1:45123/oauth/callback#a",
        "http://127.0.0.1:99999/oauth/callback",
        "//evil.example",
        "",
    ],
)
def test_a_code_goes_to_nobody_else(ana, query, redirect_uri):
    bad = urlencode({**query, "redirect_uri": redirect_uri})
    shown = ana.open(f"/authorize?{bad}", follow=False)
    assert shown.status_code == 400
    assert "location" not in shown.headers
    ana.open("/start")
    data = {"csrf_token": ana.csrf_token(), "answer": "allow"}
    posted = ana.client.post(f"/authorize?{bad}", data=data, follow_redirects=False)
    assert posted.status_code == 400
    assert "location" not in posted.headers


def test_consent_needs_the_token_of_this_browser(ana, query, place):
    ana.open(f"/authorize?{urlencode(query)}")
    answer = ana.send("/authorize", follow=False, answer="allow", csrf_token="0" * 64)
    assert answer.status_code == 403
    assert "location" not in answer.headers


@pytest.fixture
def persona(place):
    """Return the scripted person, signed in at this process's pages."""
    place.set_mfa(user_without_device="allow")
    place.visitor().choose_password(place.invite())
    http = client_of(place.application, base_url=f"http://localhost:{PORT}", follow_redirects=False)
    persona = Persona(f"http://localhost:{PORT}", "ana", http=http)
    persona.sign_in(PASSWORD)
    return persona


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_scripted_person_takes_the_address_that_the_program_prints(persona, place, query, host):
    site = f"http://{host}:{PORT}"
    assert "code=" in persona.approve_authorize(f"{site}/authorize?{urlencode(query)}")
    started = place.portal.start(place.portal.register())
    link = f"{site}/start/device?user_code={started['userCode']}"
    assert persona.approve_device(link) == "Request approved"


@pytest.mark.parametrize(
    "site",
    [
        "http://127.0.0.1:1",
        "https://127.0.0.1:8723",
        "http://127.0.0.1",
        "http://127.0.0.1:x",
        f"http://evil.example:{PORT}",
        f"http://127.0.0.1:{PORT}@evil.example",
        f"http://evil@127.0.0.1:{PORT}",
        f"http://127.0.0.1.evil.example:{PORT}",
    ],
)
def test_the_scripted_person_goes_to_no_other_site(persona, query, site):
    with pytest.raises(PersonaError, match="nothing was sent there"):
        persona.approve_authorize(f"{site}/authorize?{urlencode(query)}")


NOT_REGISTERED = {
    "unknown": "not registered with this sandbox",
    "expired": "registration of 'tests' has expired",
}


@pytest.mark.parametrize("end", NOT_REGISTERED)
def test_nobody_is_asked_about_a_program_that_is_not_registered(ana, place, query, end):
    ana.open(f"/authorize?{urlencode(query)}")
    assert ana.value("client_name") == "tests"
    token = ana.csrf_token()
    waiting = place.portal.start(place.portal.register())["userCode"]
    with place.gateway.store.transaction() as connection:
        if end == "unknown":
            connection.execute("DELETE FROM oidc_client")
        else:
            connection.execute("UPDATE oidc_client SET expires_at = 1")
    answers = [
        ana.open(f"/authorize?{urlencode(query)}", follow=False),
        ana.client.post(f"/authorize?{urlencode(query)}", data={"csrf_token": token, "answer": "allow"},
                        follow_redirects=False),
        ana.open(f"/start/device?user_code={waiting}", follow=False),
        *(ana.client.post(f"/start/device/{step}", data={"csrf_token": token, "user_code": waiting, **said},
                          follow_redirects=False)
          for step, said in (("confirm", {"same": "yes"}), ("answer", {"answer": "allow"}))),
    ]  # fmt: skip
    for answer in answers:
        assert NOT_REGISTERED[end] in html.unescape(answer.text)
        assert "location" not in answer.headers
        assert "Allow access" not in answer.text
    with place.gateway.store.transaction() as connection:
        assert not connection.execute("SELECT * FROM authorization_code").fetchall()


def test_nobody_is_asked_through_the_browser_by_a_program_that_registered_for_codes(ana, place):
    query = place.portal.authorize_parameters(place.portal.register()["clientId"])
    answer = ana.open(f"/authorize?{urlencode(query)}", follow=False)
    assert answer.status_code == 400
    assert "did not register for a login through the browser" in ana.message
    assert "Allow access" not in answer.text


@pytest.mark.parametrize(
    ("registered", "asked", "given"),
    [
        (["sso:account:access"], "sso:account:access", ("sso:account:access",)),
        (["sso:account:access", "other:scope"], "other:scope", ("other:scope",)),
        (["sso:account:access"], "read:only", ("sso:account:access",)),
        (["sso:account:access"], "", ("sso:account:access",)),
        ([], "sso:account:access", ()),
    ],
)
def test_consent_names_what_is_given_and_not_what_a_link_says(place, registered, asked, given):
    client = place.portal.register(scopes=registered, **BROWSER)
    parameters = {**place.portal.authorize_parameters(client["clientId"]), "scopes": asked}
    assert place.portal.do(check_authorize, parameters).scopes == given
