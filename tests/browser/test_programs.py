"""Programs that ask to act for a person: the device page, and consent in the browser."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import expect
from scene import Visitor

VERIFIER = "a-verifier-of-at-least-forty-three-characters-123"


@pytest.fixture
def person(visitor, scene, mfa) -> Visitor:
    """Return a visitor who has a password and needs no device."""
    mfa(user_without_device="allow")
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    visitor.name = name
    return visitor


def test_the_code_is_compared_and_access_allowed(person, scene):
    waiting, poll = scene.start_device_login()
    page, oidc = person.page, scene.client("sso-oidc")
    person.give_password(person.name)
    page.goto(waiting["verificationUriComplete"])
    person.sees("Compare the code")
    expect(page.locator("[data-value=user_code]")).to_have_text(waiting["userCode"])
    with pytest.raises(oidc.exceptions.AuthorizationPendingException):
        oidc.create_token(**poll)
    person.press("Yes, it is the same")
    person.sees("Allow practice-cli to access your data?")
    person.press("Allow access")
    person.sees("Request approved")
    token = oidc.create_token(**poll)["accessToken"]
    accounts = scene.client("sso").list_accounts(accessToken=token)["accountList"]
    assert [one["accountId"] for one in accounts] == [scene.accounts[1]]


def test_who_is_not_signed_in_comes_back_to_the_code(person, scene):
    waiting, _ = scene.start_device_login()
    page = person.page
    page.goto(waiting["verificationUriComplete"])
    person.sees("Sign in")
    page.get_by_label("User name").fill(person.name)
    person.press("Next")
    page.get_by_label("Password").fill("Practice-makes-1")
    person.press("Sign in")
    person.sees("Compare the code")


def test_a_code_that_differs_is_refused(person, scene):
    waiting, poll = scene.start_device_login()
    page, oidc = person.page, scene.client("sso-oidc")
    person.give_password(person.name)
    page.goto(f"{scene.site}/start/device")
    page.get_by_label("Code from your terminal").fill("BBBB-BBBB")
    person.press("Next")
    expect(page.get_by_role("alert")).to_contain_text("No program waits with this code")
    page.get_by_label("Code from your terminal").fill(waiting["userCode"].lower().replace("-", ""))
    person.press("Next")
    person.press("No, it differs")
    person.sees("Request denied")
    with pytest.raises(oidc.exceptions.AccessDeniedException):
        oidc.create_token(**poll)


def test_a_device_login_that_is_denied_gets_nothing(person, scene):
    waiting, poll = scene.start_device_login()
    oidc = scene.client("sso-oidc")
    person.give_password(person.name)
    person.page.goto(waiting["verificationUriComplete"])
    person.press("Yes, it is the same")
    person.press("Deny access")
    person.sees("Request denied")
    with pytest.raises(oidc.exceptions.AccessDeniedException):
        oidc.create_token(**poll)


class Listener:
    """A program on the person's machine that waits for the browser to come back."""

    def __init__(self) -> None:
        answers = self.answers = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/oauth/callback"):
                    answers.append(parse_qs(urlsplit(self.path).query))
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<link rel=icon href='data:,'><h1>Back in the program</h1>")

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.redirect_uri = f"http://127.0.0.1:{self.server.server_port}/oauth/callback"


@pytest.fixture
def program() -> Iterator[Listener]:
    """Return a program that listens."""
    listener = Listener()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()


@pytest.mark.parametrize("answer", ["Allow access", "Deny access"])
def test_the_browser_goes_back_to_the_program_with_the_answer(person, scene, program, answer):
    oidc = scene.client("sso-oidc")
    grants = {"grantTypes": ["authorization_code", "refresh_token"]}
    registered = oidc.register_client(
        clientName="practice-cli",
        clientType="public",
        redirectUris=["http://127.0.0.1/oauth/callback"],
        issuerUrl=f"{scene.site}/start",
        **grants,
    )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": registered["clientId"],
        "redirect_uri": program.redirect_uri,
        "state": "kept & whole",
        "code_challenge_method": "S256",
        "code_challenge": challenge,
        "scopes": "sso:account:access",
    }
    # The CLI builds this on the endpoint's host, which is an address: the browser is led to the name.
    page = person.page
    page.goto(f"{scene.sandbox.endpoint_url}/authorize?{urlencode(query)}")
    page.get_by_label("User name").fill(person.name)
    person.press("Next")
    page.get_by_label("Password").fill("Practice-makes-1")
    person.press("Sign in")
    person.sees("Allow practice-cli to access your data?")
    person.press(answer)
    person.sees("Back in the program")
    (given,) = program.answers
    assert given["state"] == ["kept & whole"]
    if answer == "Deny access":
        assert given["error"] == ["access_denied"]
        assert "code" not in given
        return
    token = oidc.create_token(
        clientId=registered["clientId"],
        clientSecret=registered["clientSecret"],
        grantType="authorization_code",
        code=given["code"][0],
        codeVerifier=VERIFIER,
        redirectUri=program.redirect_uri,
    )
    assert token["accessToken"]
