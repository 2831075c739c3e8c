"""What people do is in the trail: sign-ins, the portal, role credentials and what is done with them."""

from __future__ import annotations

import json
import time

import pyotp
import pytest
from botocore.exceptions import ClientError
from console_role import come_with_role
from page_visitor import PASSWORD, Place

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


def records(clients, *names: str) -> list[dict]:
    """Return the records of the feed, oldest first; with names only those."""
    found = [json.loads(text) for text in clients.trail_texts()]
    return [one for one in found if not names or one["eventName"] in names]


SIGN_IN = ("CredentialChallenge", "CredentialVerification", "UserAuthentication")


def steps(events: list[dict]) -> list[tuple[str, str, str]]:
    """Return name, credential and outcome of each step of sign-ins."""
    return [
        (one["eventName"], one["additionalEventData"]["CredentialType"], *one["serviceEventDetails"].values())
        for one in events
    ]


def on_behalf_of(place: Place) -> dict[str, str]:
    instance = place.portal.instance
    return {"userId": place.portal.user_id, "identityStoreArn": instance["IdentityStoreArn"]}


def test_a_sign_in_leaves_its_three_events_in_one_workflow(place, ana):
    events = records(place.clients, *SIGN_IN)
    assert steps(events) == [
        ("CredentialChallenge", "PASSWORD", "Success"),
        ("CredentialVerification", "PASSWORD", "Success"),
        ("UserAuthentication", "PASSWORD", "Success"),
    ]
    (workflow,) = {one["additionalEventData"]["AuthWorkflowID"] for one in events}
    assert len(workflow) == 36
    challenge, verification, authentication = events
    assert challenge["additionalEventData"]["UserName"] == "ana"
    assert challenge["userIdentity"]["type"] == "Unknown"
    for proved in (verification, authentication):
        assert proved["userIdentity"]["type"] == "IdentityCenterUser"
        assert proved["userIdentity"]["onBehalfOf"] == on_behalf_of(place)
        assert "UserName" not in proved["additionalEventData"]
    assert authentication["additionalEventData"]["LoginTo"].startswith("https://d-")
    for one in events:
        assert (one["eventSource"], one["eventType"]) == ("signin.amazonaws.com", "AwsServiceEvent")
        assert one["userAgent"] == "testclient"
        assert one["recipientAccountId"] == place.clients.management_account_id


def test_wrong_passwords_and_unknown_names_are_there_without_what_was_typed(place, ana):
    place.visitor().sign_in(user_name="my-Secret-1-typed-here", password="my-Secret-2")
    place.visitor().sign_in(password="my-Secret-3")
    events = records(place.clients, *SIGN_IN)[3:]
    assert (
        steps(events)
        == [
            ("CredentialChallenge", "PASSWORD", "Success"),
            ("CredentialVerification", "PASSWORD", "Failure"),
        ]
        * 2
    )
    assert [one["additionalEventData"].get("UserName") for one in events[::2]] == [HIDDEN, "ana"]
    assert {one["userIdentity"]["type"] for one in events} == {"Unknown"}
    assert "my-Secret" not in json.dumps(records(place.clients))


def test_a_browser_that_says_too_much_of_itself_is_cut_short(place, ana):
    visitor = place.visitor()
    visitor.client.headers["user-agent"] = "x" * 2000
    visitor.sign_in()
    assert {one["userAgent"] for one in records(place.clients, *SIGN_IN)[3:]} == {"x" * 1024}


def test_a_second_factor_is_a_challenge_of_its_own(place):
    place.set_mfa(prompt="always-on", user_without_device="require-registration")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    secret = visitor.register_app()
    first = records(place.clients, "UserAuthentication")[-1]["additionalEventData"]
    assert (first["CredentialType"], first["DeviceEnrollmentRequired"]) == ("PASSWORD", "true")
    before = len(records(place.clients, *SIGN_IN))
    visitor = place.visitor()
    visitor.sign_in()
    visitor.send("/totp", code="000000")
    visitor.send("/totp", code=pyotp.TOTP(secret).at(time.time() + 30))  # each code works once
    events = records(place.clients, *SIGN_IN)[before:]
    assert steps(events) == [
        ("CredentialChallenge", "PASSWORD", "Success"),
        ("CredentialVerification", "PASSWORD", "Success"),
        ("CredentialChallenge", "TOTP", "Success"),
        ("CredentialVerification", "TOTP", "Failure"),
        ("CredentialVerification", "TOTP", "Success"),
        ("UserAuthentication", "PASSWORD,TOTP", "Success"),
    ]
    assert len({one["additionalEventData"]["AuthWorkflowID"] for one in events}) == 1
    assert secret not in json.dumps(records(place.clients))


@pytest.fixture
def login(portal):
    """Return tokens of a person who has a role in Development, and the account's id."""
    portal.account_id = portal.clients.member_account_ids()["Development"]
    portal.permission_set_arn = portal.add_permission_set("Deployer")
    portal.assign(portal.permission_set_arn, portal.account_id)
    portal.clients.advance_clock(1)
    return portal.log_in()


def test_tokens_and_portal_calls_say_whose_they_are(portal, login):
    clients = portal.clients
    created = records(clients, "CreateToken")[-1]
    identity = created["userIdentity"]
    assert (identity["type"], identity["onBehalfOf"]["userId"]) == ("IdentityCenterUser", portal.user_id)
    assert created["requestParameters"]["grantType"].endswith("device_code")
    assert created["requestParameters"]["deviceCode"] == HIDDEN
    assert created["responseElements"]["accessToken"] == HIDDEN
    portal.portal.list_accounts(accessToken=login["accessToken"])
    listed = records(clients, "ListAccounts")[-1]
    assert (listed["eventType"], listed["readOnly"]) == ("AwsServiceEvent", True)
    assert listed["requestParameters"] is None
    assert listed["userIdentity"]["onBehalfOf"]["userId"] == portal.user_id
    assert listed["userIdentity"]["credentialId"].startswith("AAAAA")
    assert listed["userIdentity"]["credentialId"] != identity["credentialId"]
    assert login["accessToken"] not in json.dumps(records(clients))


def test_role_credentials_join_what_is_done_with_them(portal, login):
    clients = portal.clients
    name = "Deployer"
    issued = portal.portal.get_role_credentials(
        accessToken=login["accessToken"], accountId=portal.account_id, roleName=name
    )["roleCredentials"]
    (vended,) = records(clients, "GetRoleCredentials")
    assert vended["serviceEventDetails"] == {"account_id": portal.account_id, "role_name": name}
    assert (vended["requestParameters"], vended["responseElements"]) == (None, None)
    (assumed,) = records(clients, "AssumeRoleWithSAML")
    assert assumed["recipientAccountId"] == portal.account_id
    assert assumed["userIdentity"]["type"] == "SAMLUser"
    assert assumed["userIdentity"]["userName"] == "ana"
    assert f"AWSReservedSSO_{name}_" in assumed["requestParameters"]["roleArn"]
    assert ":saml-provider/AWSSSO_" in assumed["requestParameters"]["principalArn"]
    assert assumed["responseElements"]["credentials"]["accessKeyId"] != issued["accessKeyId"]
    portal.clients.client(
        "sts",
        credentials={
            "aws_access_key_id": issued["accessKeyId"],
            "aws_secret_access_key": issued["secretAccessKey"],
            "aws_session_token": issued["sessionToken"],
        },
    ).get_caller_identity()
    called = records(clients, "GetCallerIdentity")[-1]
    identity = called["userIdentity"]
    assert identity["accessKeyId"] == issued["accessKeyId"]
    assert identity["arn"].endswith("/ana")
    assert identity["onBehalfOf"] == {
        "userId": portal.user_id,
        "identityStoreArn": portal.instance["IdentityStoreArn"],
    }
    assert identity["sessionContext"]["attributes"]["creationDate"] == vended["eventTime"]
    assert assumed["eventTime"] == vended["eventTime"]
    said = json.dumps(records(clients))
    assert issued["secretAccessKey"] not in said
    assert issued["sessionToken"] not in said


def test_what_the_portal_refuses_says_who_asked_for_what(portal, login):
    with pytest.raises(ClientError):
        portal.portal.get_role_credentials(
            accessToken=login["accessToken"], accountId=portal.account_id, roleName="Nothing"
        )
    event = records(portal.clients, "GetRoleCredentials")[-1]
    assert event["errorCode"] == "ForbiddenException"
    assert event["serviceEventDetails"]["role_name"] == "Nothing"
    assert event["userIdentity"]["onBehalfOf"]["userId"] == portal.user_id
    with pytest.raises(ClientError):
        portal.portal.list_accounts(accessToken="stolen")
    event = records(portal.clients, "ListAccounts")[-1]
    assert (event["errorCode"], event["userIdentity"]["type"]) == ("UnauthorizedException", "Unknown")


def test_a_role_at_the_console_says_so_and_the_administrator_does_not(place):
    desk = place.visitor()
    desk.open(place.links()["console_url"].partition("8723")[2])
    desk.open("/start/practice-console/users")
    reader = come_with_role(place)
    reader.open("/start/practice-console/users")
    found = records(place.clients, "ListUsers")
    assert [one["userAgent"] for one in found] == ["testclient"] * len(found)
    assert {
        (one["userIdentity"]["type"], one.get("sessionCredentialFromConsole", "is not said")) for one in found
    } == {("IAMUser", "is not said"), ("AssumedRole", "true")}


def test_console_actions_are_events_of_the_console(place, ana):
    clients, user_id = place.clients, place.portal.user_id
    clients.console("POST", f"users/{user_id}/disable")
    (event,) = records(clients, "DisableUser")
    assert event["eventSource"] == "sso-directory.amazonaws.com"
    assert event["requestParameters"] == {"userId": user_id}
    assert event["tlsDetails"]["clientProvidedHostHeader"] == "up.sso.us-east-1.amazonaws.com"
    arn = place.portal.instance["InstanceArn"]
    clients.console("PUT", "settings/sessions", {"instance_arn": arn, "user_interactive": "PT1H"})
    (event,) = records(clients, "UpdateSsoConfiguration")
    assert event["requestParameters"] == {
        "instanceArn": arn,
        "configurationType": "SESSION",
        "ssoConfiguration": {"user_interactive": "PT1H"},
    }
    clients.console("POST", f"users/{user_id}/enable")
    given = clients.console("POST", f"users/{user_id}/reset-password", {"delivery": "one-time-password"})
    assert records(clients, "UpdatePassword")
    said = json.dumps(records(clients))
    for secret in (given["one_time_password"], PASSWORD):
        assert secret not in said
