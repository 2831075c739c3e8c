"""Tokens: authorization codes with PKCE, refresh tokens that rotate, and what makes them void."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.tokens import SSOTokenProvider
from botocore.utils import SSOTokenLoader
from portal_harness import BROWSER, DEVICE_CODE, REDIRECT_URI, SCOPES, VERIFIER

from idc_sandbox.api.oidc import authorizations, tokens
from idc_sandbox.sign_in import people
from idc_sandbox.sign_in.people import Refusal


@pytest.fixture
def browser_client(portal):
    return portal.register(
        clientName="AWS CLI",
        grantTypes=["authorization_code", "refresh_token"],
        redirectUris=["http://127.0.0.1/oauth/callback"],
        issuerUrl=portal.start_url,
    )


def exchange(portal, client, code, **changes):
    values = {"code": code, "codeVerifier": VERIFIER, "redirectUri": REDIRECT_URI} | changes
    return portal.oidc.create_token(**client, grantType="authorization_code", **values)


def is_live(portal, access_token):
    try:
        portal.portal.list_accounts(accessToken=access_token)
    except portal.portal.exceptions.UnauthorizedException:
        return False
    return True


# --- authorization code


def test_a_code_with_its_verifier_is_exchanged(portal, browser_client):
    answer = exchange(portal, browser_client, portal.code(browser_client))
    assert is_live(portal, answer["accessToken"])
    assert answer["refreshToken"]


def test_a_code_that_is_used_twice_voids_what_it_led_to(portal, browser_client):
    code = portal.code(browser_client)
    answer = exchange(portal, browser_client, code)
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException, match="used before"):
        exchange(portal, browser_client, code)
    assert not is_live(portal, answer["accessToken"])


@pytest.mark.parametrize(
    "changes",
    [
        {"codeVerifier": VERIFIER[:-1] + "x"},
        {"codeVerifier": "short"},
        {"codeVerifier": "ü" * 50},
        {"redirectUri": REDIRECT_URI.replace("45123", "45124")},
        {"code": "invented"},
        {"code": "\u65e5\u672c"},
    ],
)
def test_what_does_not_fit_is_refused_and_uses_nothing_up(portal, browser_client, changes):
    code = portal.code(browser_client)
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        exchange(portal, browser_client, **{"code": code, **changes})
    assert exchange(portal, browser_client, code)["accessToken"]


def test_a_code_is_its_clients_own_and_expires(portal, browser_client):
    other = portal.register(grantTypes=["authorization_code"], redirectUris=[REDIRECT_URI])
    code = portal.code(browser_client)
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        exchange(portal, other, code)
    portal.clients.advance_clock(601)
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        exchange(portal, browser_client, code)


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.example/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1.evil.example:80/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1:80@evil.example/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1:45123/oauth/callback?next=//evil.example"},
        {"redirect_uri": "http://127.0.0.1:45123/oauth/callback#x"},
        {"redirect_uri": "http://127.0.0.1:45123/oauth/callback\r\nSet-Cookie: x"},
        {"redirect_uri": "http://127.0.0.1:99999/oauth/callback"},
        {"redirect_uri": "http://localhost:45123/oauth/callback"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": "x" * 42},
        {"code_challenge": ""},
        {"client_id": ""},
        {"client_id": "x" * 300},
        {"state": "x" * 2000},
    ],
)
def test_an_unsafe_request_is_shown_and_leads_nowhere(portal, browser_client, changes):
    parameters = portal.authorize_parameters(browser_client["clientId"]) | changes
    with pytest.raises(Refusal) as caught:
        portal.do(authorizations.check_authorize, parameters)
    assert caught.value.code == "authorize-invalid"


def test_consent_goes_back_with_the_state_and_denial_with_an_error(portal, browser_client):
    parameters = portal.authorize_parameters(browser_client["clientId"]) | {"state": "a&b=c #ü"}
    request = portal.do(authorizations.check_authorize, parameters)
    assert (request.client_name, request.scopes) == ("AWS CLI", ("sso:account:access",))
    allowed = portal.do(authorizations.approve_authorize, request, portal.sign_in())
    denied = authorizations.deny_authorize(request)
    for url in (allowed, denied):
        assert url.startswith(f"{REDIRECT_URI}?")
        assert parse_qs(urlsplit(url).query)["state"] == ["a&b=c #ü"]
    assert parse_qs(urlsplit(denied).query)["error"] == ["access_denied"]
    with pytest.raises(Refusal) as caught:
        portal.do(authorizations.approve_authorize, request, "no-session")
    assert caught.value.code == "session-over"


# --- refresh


def test_a_refresh_token_is_replaced_each_time(portal):
    first = portal.log_in()
    second = portal.refresh(first)
    third = portal.refresh(second)
    assert len({one["refreshToken"] for one in (first, second, third)}) == 3
    assert is_live(portal, third["accessToken"])


def test_a_replaced_refresh_token_that_turns_up_again_voids_the_whole_login(portal):
    bystander = portal.log_in()
    first = portal.log_in(bystander["session_id"])
    second = portal.refresh(first)
    portal.clients.advance_clock(tokens.REPLACED_TOKEN_GRACE_S)
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException, match="replaced before"):
        portal.refresh(first)
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        portal.refresh(second)
    assert not is_live(portal, second["accessToken"])
    assert is_live(portal, bystander["accessToken"])


def test_a_replaced_refresh_token_is_good_for_a_moment_that_is_not_drawn_out(portal):
    first = portal.log_in()
    answers = [portal.refresh(first)]
    for _ in range(3):
        portal.clients.advance_clock(tokens.REPLACED_TOKEN_GRACE_S / 4)
        answers.append(portal.refresh(first))
    assert len({one["refreshToken"] for one in answers}) == 4
    assert all(is_live(portal, portal.refresh(one)["accessToken"]) for one in answers)
    portal.clients.advance_clock(tokens.REPLACED_TOKEN_GRACE_S / 4)
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException, match="replaced before"):
        portal.refresh(first)
    assert not any(is_live(portal, one["accessToken"]) for one in answers)


class SharedCache(dict):
    """One login's file, which every program reads before the first has written it again."""

    def __init__(self, programs):
        super().__init__()
        self.all_have_read = threading.Barrier(programs)

    def __getitem__(self, key):
        token = super().__getitem__(key)
        self.all_have_read.wait(60)
        return token


def test_programs_that_refresh_one_expired_login_at_once_all_keep_it(portal, tmp_path, monkeypatch):
    programs, tokens = 4, portal.log_in()
    (tmp_path / "config").write_text(
        f"[sso-session practice]\nsso_region = us-east-1\nsso_start_url = {portal.start_url}\n"
        "[profile ana]\nsso_session = practice\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    cache, past, later = SharedCache(programs), "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
    registration = {**tokens["client"], "registrationExpiresAt": later}
    cached = {"accessToken": tokens["accessToken"], "refreshToken": tokens["refreshToken"], "expiresAt": past}
    SSOTokenLoader(cache).save_token(portal.start_url, {**cached, **registration}, session_name="practice")

    def program(_number):
        provider = SSOTokenProvider(botocore.session.Session(), cache=cache, profile_name="ana")
        provider.__dict__["_client"] = portal.oidc  # the sandbox of this process
        return provider.load_token().get_frozen_token().token

    with ThreadPoolExecutor(programs) as pool:
        given = list(pool.map(program, range(programs)))
    assert tokens["accessToken"] not in given
    assert all(is_live(portal, token) for token in given)
    (kept,) = cache.values()
    assert kept["accessToken"] in given
    portal.clients.advance_clock(3_000)
    assert is_live(portal, portal.refresh({**tokens, "refreshToken": kept["refreshToken"]})["accessToken"])


def test_a_refresh_token_is_its_clients_own(portal):
    tokens = portal.log_in()
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        portal.refresh({**tokens, "client": portal.register()})
    portal.refresh(tokens)


@pytest.mark.parametrize("token", ["invented", "x" * 100_000, "日本"])
def test_an_invented_token_is_refused(portal, token):
    tokens = portal.log_in()
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        portal.refresh({**tokens, "refreshToken": token})
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        portal.refresh({**tokens, "refreshToken": tokens["accessToken"]})
    assert not is_live(portal, tokens["refreshToken"])


def test_an_access_token_lasts_an_hour_and_refreshing_goes_on_until_the_session_ends(portal):
    tokens = portal.log_in()
    for _ in range(7):
        portal.clients.advance_clock(3_599)
        assert is_live(portal, tokens["accessToken"])
        tokens = portal.refresh(tokens)
    portal.clients.advance_clock(1_800)
    tokens = portal.refresh(tokens)
    left_s = 8 * 3600 - 7 * 3_599 - 1_800
    assert tokens["expiresIn"] == left_s, "no token outlives the session"
    portal.clients.advance_clock(left_s)
    assert not is_live(portal, tokens["accessToken"])
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        portal.refresh(tokens)


def test_an_access_token_expires(portal):
    tokens = portal.log_in()
    portal.clients.advance_clock(3_600)
    assert not is_live(portal, tokens["accessToken"])


def test_a_profile_of_the_older_kind_gets_eight_hours_and_no_refresh(portal):
    portal.clients.console(
        "PUT",
        "settings/sessions",
        {"instance_arn": portal.instance["InstanceArn"], "user_interactive": "P1D"},
    )
    tokens = portal.log_in(scopes=[])
    assert tokens["expiresIn"] == 8 * 3600
    assert "refreshToken" not in tokens


@pytest.mark.parametrize("end", ["sign out", "disable", "delete session", "delete user"])
def test_what_ends_the_session_ends_its_tokens(portal, end):
    tokens = portal.log_in()
    if end == "sign out":
        portal.do(people.end_session, tokens["session_id"])
    elif end == "disable":
        portal.clients.console("POST", f"users/{portal.user_id}/disable")
    elif end == "delete session":
        portal.clients.console("POST", f"users/{portal.user_id}/sessions/delete")
    else:
        store_id = portal.instance["IdentityStoreId"]
        portal.identity_store.delete_user(IdentityStoreId=store_id, UserId=portal.user_id)
    assert not is_live(portal, tokens["accessToken"])
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        portal.refresh(tokens)


def test_tokens_survive_a_restart_and_are_not_kept(portal):
    tokens = portal.log_in()
    portal.clients.restart()
    assert is_live(portal, tokens["accessToken"])
    tokens = portal.refresh(tokens)
    kept = portal.clients.path.read_bytes()
    wal = portal.clients.path.with_name("sandbox.db-wal")
    kept += wal.read_bytes() if wal.exists() else b""
    for name in ("accessToken", "refreshToken"):
        assert tokens[name].encode() not in kept


def test_a_grant_without_what_it_needs_is_told(portal):
    client = portal.register()
    for grant_type in (DEVICE_CODE, "refresh_token"):
        with pytest.raises(portal.oidc.exceptions.InvalidRequestException, match="needs"):
            portal.oidc.create_token(**client, grantType=grant_type)


def test_a_code_gives_what_was_asked_for_of_what_the_program_registered_for(portal):
    client = portal.register(**BROWSER | {"scopes": [*SCOPES, "account_access:read_only"]})
    proof = {"grantType": "authorization_code", "redirectUri": REDIRECT_URI, "codeVerifier": VERIFIER}
    for asked, may_list in (("account_access:read_only", False), (SCOPES[0], True)):
        token = portal.oidc.create_token(**client, **proof, code=portal.code(client, scopes=asked))
        try:
            portal.portal.list_accounts(accessToken=token["accessToken"])
        except ClientError:
            assert not may_list
        else:
            assert may_list
