"""The device code grant: what the person answers reaches the client once, and in time."""

from __future__ import annotations

import pytest
from portal_harness import DEVICE_CODE

from idc_sandbox.api.oidc import authorizations
from idc_sandbox.sign_in import people
from idc_sandbox.sign_in.people import Refusal


@pytest.fixture
def client(portal):
    return portal.register(clientName="AWS CLI")


def refusal(portal, function, *arguments):
    with pytest.raises(Refusal) as caught:
        portal.do(function, *arguments)
    return caught.value.code


def test_the_client_is_told_where_to_send_the_person(portal, client):
    portal.clients.gateway.site_url = "https://lab.example.org/user/ana/proxy"
    started = portal.start(client)
    assert (started["expiresIn"], started["interval"]) == (600, 1)
    page = "https://lab.example.org/user/ana/proxy/start/device"
    assert started["verificationUri"] == page
    assert started["verificationUriComplete"] == f"{page}?user_code={started['userCode']}"
    assert len(started["userCode"]) == 9
    assert started["userCode"][4] == "-"


def test_the_person_sees_who_asks_and_allows_it_once(portal, client):
    started = portal.start(client)
    typed = started["userCode"].lower().replace("-", " ")
    request = portal.do(authorizations.find_device_request, typed)
    assert (request.client_name, request.user_code) == ("AWS CLI", started["userCode"])
    assert request.scopes == ("sso:account:access",)
    with pytest.raises(portal.oidc.exceptions.AuthorizationPendingException):
        portal.poll(client, started["deviceCode"])
    portal.do(authorizations.approve_device, typed, portal.sign_in())
    assert refusal(portal, authorizations.deny_device, typed) == "device-code-answered"
    answer = portal.poll(client, started["deviceCode"])
    assert (answer["tokenType"], answer["expiresIn"]) == ("Bearer", 3600)
    assert answer["refreshToken"] != answer["accessToken"]
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        portal.poll(client, started["deviceCode"])


def test_a_denial_reaches_the_client(portal, client):
    started = portal.start(client)
    portal.do(authorizations.deny_device, started["userCode"])
    with pytest.raises(portal.oidc.exceptions.AccessDeniedException):
        portal.poll(client, started["deviceCode"])
    session_id = portal.sign_in()
    assert refusal(portal, authorizations.approve_device, started["userCode"], session_id) == (
        "device-code-answered"
    )


@pytest.mark.parametrize("approved", [False, True])
def test_codes_expire_after_ten_minutes(portal, client, approved):
    started = portal.start(client)
    if approved:
        portal.do(authorizations.approve_device, started["userCode"], portal.sign_in())
    portal.clients.advance_clock(599)
    if not approved:
        with pytest.raises(portal.oidc.exceptions.AuthorizationPendingException):
            portal.poll(client, started["deviceCode"])
    portal.clients.advance_clock(2)
    with pytest.raises(portal.oidc.exceptions.ExpiredTokenException):
        portal.poll(client, started["deviceCode"])
    code = refusal(portal, authorizations.find_device_request, started["userCode"])
    assert code == "device-code-expired"


@pytest.mark.parametrize("typed", ["", "BBBB-BBBB", "x" * 100_000, "日本語", "\ud800", "%' OR 1=1"])
def test_a_code_that_does_not_match_allows_nothing(portal, client, typed):
    started = portal.start(client)
    session_id = portal.sign_in()
    assert refusal(portal, authorizations.approve_device, typed, session_id) == "device-code-unknown"
    with pytest.raises(portal.oidc.exceptions.AuthorizationPendingException):
        portal.poll(client, started["deviceCode"])


def test_who_polls_too_fast_is_told_so_but_not_at_the_second_poll(portal, client):
    code = portal.start(client)["deviceCode"]
    answers = []
    for _ in range(8):
        with pytest.raises(portal.oidc.exceptions.ClientError) as caught:
            portal.poll(client, code)
        answers.append(caught.value.response["Error"]["Code"])
    assert answers[:2] == ["AuthorizationPendingException"] * 2
    assert answers[-1] == "SlowDownException"
    portal.clients.advance_clock(1)
    with pytest.raises(portal.oidc.exceptions.AuthorizationPendingException):
        portal.poll(client, code)


def test_a_device_code_is_its_clients_own(portal, client):
    started = portal.start(client)
    portal.do(authorizations.approve_device, started["userCode"], portal.sign_in())
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        portal.poll(portal.register(), started["deviceCode"])
    with pytest.raises(portal.oidc.exceptions.InvalidRequestException, match="deviceCode"):
        portal.oidc.create_token(**client, grantType=DEVICE_CODE)
    assert portal.poll(client, started["deviceCode"])["accessToken"]


def test_only_who_is_signed_in_can_allow_and_only_while_signed_in(portal, client):
    started = portal.start(client)
    session_id = portal.sign_in()
    portal.do(people.end_session, session_id)
    code = refusal(portal, authorizations.approve_device, started["userCode"], session_id)
    assert code == "session-over"
    second = portal.sign_in()
    portal.do(authorizations.approve_device, started["userCode"], second)
    portal.do(people.end_session, second)
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException, match="Sign in again"):
        portal.poll(client, started["deviceCode"])


@pytest.mark.parametrize(
    "start_url",
    [
        "https://d-0000000000.awsapps.com/start",
        "https://evil.example/start",
        "",
        "x" * 10_000,
        "https://日本/start",
    ],
)
def test_another_portals_start_url_is_refused_with_ours(portal, client, start_url):
    with pytest.raises(portal.oidc.exceptions.InvalidRequestException, match=portal.start_url):
        portal.oidc.start_device_authorization(**client, startUrl=start_url)
    with pytest.raises(portal.oidc.exceptions.InvalidRequestException, match=portal.start_url):
        portal.register(issuerUrl=start_url)


def test_each_address_of_the_portal_is_a_start_url(portal, client):
    urls = portal.settings["access_portal"]["urls"]
    for start_url in (
        *urls.values(),
        f"{portal.start_url}/",
        f"{portal.start_url}#/",
        f"https://identitycenter.amazonaws.com/{portal.instance['InstanceArn'].rpartition('/')[2]}",
        "http://localhost/start",
    ):
        portal.oidc.start_device_authorization(**client, startUrl=start_url)
        portal.register(issuerUrl=start_url)


def test_a_login_on_its_way_survives_a_restart(portal, client):
    started, session_id = portal.start(client), portal.sign_in()
    portal.clients.restart()
    portal.do(authorizations.approve_device, started["userCode"], session_id)
    portal.clients.restart()
    assert portal.poll(client, started["deviceCode"])["accessToken"]
