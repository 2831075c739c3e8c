"""What people see and do once they are signed in: accounts, keys, console, their own devices."""

from __future__ import annotations

import re

import pytest
from botocore.exceptions import ClientError
from page_visitor import PASSWORD
from pyotp import TOTP

RELAY_STATE = "https://eu-west-1.console.aws.amazon.com/s3/home?region=eu-west-1"


@pytest.fixture
def read_only(place):
    """Give ana a role that may look and not touch, and return its account."""
    arn = place.portal.add_permission_set(
        "ReadOnly+Access", "ReadOnlyAccess", SessionDuration="PT2H", RelayState=RELAY_STATE
    )
    account_id = next(iter(sorted(place.portal.accounts.values())))
    place.portal.assign(arn, account_id)
    return arn, account_id


def keys_path(account_id: str, role_name: str = "ReadOnly%2BAccess") -> str:
    return f"/start/accounts/{account_id}/roles/{role_name}/access-keys"


def test_nothing_is_assigned_at_first_and_changes_show_at_once(ana, place, read_only):
    arn, account_id = read_only
    ana.open("/start")
    assert re.findall(r'data-account-id="(\d+)"', ana.page.text) == [account_id]
    assert re.findall(r'data-role-name="([^"]+)"', ana.page.text) == ["ReadOnly+Access"]
    place.portal.unassign(arn, account_id)
    ana.open("/start")
    assert "Nothing is assigned to you yet" in ana.message
    group_id = place.portal.add_group("Readers")
    place.portal.assign(arn, account_id, PrincipalType="GROUP", PrincipalId=group_id)
    place.portal.add_member(group_id, place.portal.user_id)
    ana.open("/start")
    assert re.findall(r'data-account-id="(\d+)"', ana.page.text) == [account_id]


def test_the_access_keys_work_and_are_held_to_the_role(ana, place, read_only):
    _, account_id = read_only
    ana.open("/start")
    address = re.findall(r'href="([^"]+access-keys)"', ana.page.text)[0]
    ana.open(address)
    assert ana.heading == "Access keys"
    credentials = {
        name: ana.value(name) for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    }
    assert credentials["aws_access_key_id"].startswith("ASIA")
    assert place.clients.client("sts", credentials=credentials).get_caller_identity()["Account"] == account_id
    s3 = place.clients.client("s3", credentials=credentials)
    assert s3.list_buckets()["Buckets"] == []
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.create_bucket(Bucket="mine")
    for line in (
        f"export AWS_ACCESS_KEY_ID=&#34;{credentials['aws_access_key_id']}&#34;",
        f"$Env:AWS_SESSION_TOKEN=&#34;{credentials['aws_session_token']}&#34;",
        f"SET AWS_SECRET_ACCESS_KEY={credentials['aws_secret_access_key']}",
        f"[{account_id}_ReadOnly+Access]\naws_access_key_id = {credentials['aws_access_key_id']}",
    ):
        assert line in ana.page.text
    assert ana.value("sso_start_url") == place.portal.start_url
    assert ana.value("sso_region") == "us-east-1"
    assert "in 2 hours" in ana.page.text
    again = ana.open(address)
    assert ana.value("aws_access_key_id") != credentials["aws_access_key_id"]
    assert again.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("role_name", ["Unknown", "AdministratorAccess", "é" * 200, "%2e%2e"])
@pytest.mark.parametrize("page", ["keys", "console"])
def test_what_is_not_assigned_is_not_given(ana, read_only, role_name, page):
    _, account_id = read_only
    console = f"/start/console?account_id={account_id}&role_name={role_name}"
    answer = ana.open(keys_path(account_id, role_name) if page == "keys" else console)
    assert answer.status_code == 403
    assert "choose one that the access portal shows" in ana.message


def test_nobody_else_gets_anything(place, read_only):
    _, account_id = read_only
    stranger = place.visitor()
    for path in (
        "/start",
        keys_path(account_id),
        f"/start/console?account_id={account_id}&role_name=ReadOnly%2BAccess",
    ):
        stranger.open(path)
        assert stranger.heading == "Sign in"


def test_the_console_honours_the_relay_state_and_leads_nowhere(ana, read_only):
    _, account_id = read_only
    ana.open(f"/start/console?account_id={account_id}&role_name=ReadOnly%2BAccess")
    assert ana.value("account_id") == account_id
    assert ana.value("landing") == RELAY_STATE
    assert ana.value("service") == "s3"
    assert re.fullmatch(
        rf"arn:aws:sts::{account_id}:assumed-role/AWSReservedSSO_ReadOnly\+Access_\w+/ana",
        ana.value("principal"),
    )
    assert "after 2 hours" in ana.page.text


@pytest.mark.parametrize(
    "destination",
    ["https://evil.example/?a=<b>", "javascript:alert(1)", "//evil.example", "https://[", "x" * 9000],
)
def test_a_destination_is_shown_as_text_and_never_followed(ana, read_only, destination):
    _, account_id = read_only
    answer = ana.client.get(
        "/start/console",
        params={"account_id": account_id, "role_name": "ReadOnly+Access", "destination": destination},
        follow_redirects=False,
    )
    ana.page = answer
    assert answer.status_code == 200
    assert ana.value("landing") == destination[:2048]
    assert "no address of the AWS Management Console" in ana.message
    targets = re.findall(r'(?:href|src|action|content)="([^"]*)"', answer.text)
    assert not [one for one in targets if "evil" in one or "javascript" in one or "xxx" in one]
    assert "<b>" not in answer.text


def test_own_devices_are_registered_renamed_and_deleted(ana, place):
    ana.open("/start/devices")
    assert "You have no MFA device." in ana.page.text
    ana.open("/start/devices/register")
    secret = ana.value("totp_secret")
    ana.send("/register/totp", code="000000")
    assert "not the code that your app shows" in ana.message
    ana.send("/register/totp", code=TOTP(secret).now(), name=" Phone\x00 ")
    assert ana.message == "The device is registered."
    ana.send("/rename", name="<i>Work</i> phone")
    assert "&lt;i&gt;Work&lt;/i&gt; phone" in ana.page.text
    ana.send("/rename", name=" ")
    assert "1 to 64 characters" in ana.message
    ana.send("/delete")
    assert ana.message == "The device is deleted."


def test_a_third_app_is_refused(ana):
    for _ in range(2):
        ana.open("/start/devices/register")
        ana.send("/register/totp", code=TOTP(ana.value("totp_secret")).now())
        assert ana.message == "The device is registered."
    ana.open("/start/devices/register")
    assert "no more are possible" in ana.message
    assert "totp_secret" not in ana.page.text
    assert "Register a security key" in ana.page.text


def test_devices_of_others_and_forged_answers_are_refused(ana, place):
    other_id = place.portal.add_user("berta")
    other = place.visitor()
    other.choose_password(place.invite(other_id))
    other.sign_in(user_name="berta")
    other.open("/start/devices/register")
    other.send("/register/totp", code=TOTP(other.value("totp_secret")).now())
    device_id = re.findall(r'data-device-id="([^"]+)"', other.page.text)[0]
    data = {"csrf_token": ana.csrf_token(), "name": "Mine"}
    for action in ("rename", "delete", "explode"):
        ana.page = ana.client.post(f"/start/devices/{device_id}/{action}", data=data)
        assert "Problem" in ana.message
    assert len(place.clients.console("GET", f"users/{other_id}/mfa-devices")["mfa_devices"]) == 1
    ana.open("/start/devices/register")
    for credential in ("", "{}", "[]", '{"id": 1}', "x" * 90_000):
        ana.send("/register/webauthn", credential=credential)
        assert "could not be verified" in ana.message


def test_who_may_not_manage_devices_cannot_by_hand_either(ana, place):
    ana.open("/start/devices/register")
    ana.send("/register/totp", code=TOTP(ana.value("totp_secret")).now())
    device_id = re.findall(r'data-device-id="([^"]+)"', ana.page.text)[0]
    ana.open("/start/devices/register")
    code = TOTP(ana.value("totp_secret")).now()
    place.set_mfa(user_without_device="allow", users_manage_own_devices=False)
    data = {"csrf_token": ana.csrf_token()}
    ana.page = ana.client.post(f"/start/devices/{device_id}/delete", data=data)
    assert "Your administrator manages" in ana.message
    ana.page = ana.client.post("/start/devices/register/totp", data={**data, "code": code})
    assert ana.heading == "My MFA devices"
    assert len(place.clients.console("GET", f"users/{place.portal.user_id}/mfa-devices")["mfa_devices"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/start/sign-out",
        "/start/sign-in/password",
        "/start/devices/register/totp",
        "/start/devices/some/delete",
        "/start/device/answer",
    ],
)
def test_loading_the_address_of_a_form_changes_nothing(ana, path):
    ana.open(path)
    assert ana.page.status_code == 200
    ana.open("/start")
    assert ana.heading == "Access portal"


def test_everything_survives_a_restart(ana, place, read_only):
    place.clients.restart()
    place.gateway.store, place.gateway.double = place.clients.store, place.clients.double
    place.gateway.feed = place.clients.gateway.feed
    ana.open("/start")
    assert ana.heading == "Access portal"
    ana.send("/sign-out")
    ana.sign_in(password=PASSWORD)
    assert ana.heading == "Access portal"
