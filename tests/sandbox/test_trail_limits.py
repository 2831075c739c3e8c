"""Odd and huge requests break no record, no secret gets into the trail, and a kill loses no event."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from fuzz import Fuzz

from idc_sandbox.trail.records import record_text

LARGEST_EVENT = 256 * 1024


def test_nothing_in_a_request_breaks_a_record(gateway_client, caplog):
    gateway_client.console("POST", "instance", {})
    for _, request in Fuzz(5, gateway_client.administrator_key()).requests(400):
        assert gateway_client.gateway.handle(request).status < 600
    found = gateway_client.trail_texts()
    assert len(found) > 150
    for text in found:
        assert len(text) <= LARGEST_EVENT
        record = json.loads(text, parse_constant=pytest.fail)  # NaN is no JSON
        assert record["eventID"]
        assert record["eventName"]
        assert record["requestID"]
        text.encode()
    assert "the event of a refusal could not be made" not in caplog.text


@pytest.mark.parametrize("odd", [2**70, "\ud800", [float("nan"), 2**70], [float("inf"), "\ud800"]])
def test_a_record_is_json_whatever_a_request_held(odd):
    text = record_text({"eventName": "CreateUser", "requestParameters": {"odd": odd}})
    record = json.loads(text, parse_constant=pytest.fail)
    assert record["eventName"] == "CreateUser"
    text.encode()


def test_what_is_too_large_is_left_out_and_the_record_says_so(gateway_client):
    gateway_client.console("POST", "instance", {})
    sso_admin = gateway_client.client("sso-admin")
    (instance,) = sso_admin.list_instances()["Instances"]
    for size in (90_000, 1_000_000):
        with pytest.raises(ClientError):
            sso_admin.create_permission_set(
                InstanceArn=instance["InstanceArn"], Name="ü" * 40, Description="x" * size
            )
    small, large = (json.loads(text) for text in gateway_client.trail_texts()[-2:])
    assert len(small["requestParameters"]["description"]) == 90_000
    assert large["requestParameters"]["omitted"] is True
    assert large["requestParameters"]["originalSize"] > 1_000_000
    assert "requestParameters" in large["requestParameters"]["reason"]
    assert len(large["errorMessage"]) <= 1024
    assert len(gateway_client.trail_texts()[-1]) < LARGEST_EVENT


def test_a_kill_loses_no_event_of_what_was_answered(fresh_sandbox):
    """Reads too, although they wait for no disk: what the system was handed outlives the process."""
    iam, sts = fresh_sandbox.client("iam"), fresh_sandbox.client("sts")
    ids = []
    for number in range(8):
        ids.append(iam.create_user(UserName=f"user-{number}")["ResponseMetadata"]["RequestId"])
        ids.append(sts.get_caller_identity()["ResponseMetadata"]["RequestId"])
    fresh_sandbox.kill()
    fresh_sandbox.start()
    pages = fresh_sandbox.client("cloudtrail").get_paginator("lookup_events").paginate()
    events = [json.loads(one["CloudTrailEvent"]) for page in pages for one in page["Events"]]
    assert set(ids) - {one["requestID"] for one in events} == set()


def test_a_refusal_does_not_repeat_what_models_call_sensitive(gateway_client):
    gateway_client.console("POST", "instance", {})
    (instance,) = gateway_client.client("sso-admin").list_instances()["Instances"]
    identitystore = gateway_client.client("identitystore")
    with pytest.raises(ClientError, match="'displayName' failed to satisfy constraint"):
        identitystore.create_group(IdentityStoreId=instance["IdentityStoreId"], DisplayName="secret\0")
    with pytest.raises(ClientError, match="'displayName' must have length"):
        identitystore.create_group(IdentityStoreId=instance["IdentityStoreId"], DisplayName="secret" * 400)
    assert "CreateGroup" in gateway_client.trail_texts()[-1]
    assert "secret" not in "".join(gateway_client.trail_texts())


def test_no_secret_of_a_run_is_in_the_trail(portal):
    clients = portal.clients
    account_id = clients.member_account_ids()["Development"]
    portal.assign(portal.add_permission_set("Deployer"), account_id)
    clients.advance_clock(1)
    tokens = portal.refresh(portal.log_in())
    role = portal.portal.get_role_credentials(
        accessToken=tokens["accessToken"], accountId=account_id, roleName="Deployer"
    )["roleCredentials"]
    iam = clients.client("iam")
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    iam.create_login_profile(UserName="ana", Password="A-long-Passw0rd!")
    session = clients.client("sts").get_session_token()["Credentials"]
    given = clients.console(
        "POST", f"users/{portal.user_id}/reset-password", {"delivery": "one-time-password"}
    )
    secrets = [
        tokens["accessToken"],
        tokens["refreshToken"],
        tokens["client"]["clientSecret"],
        role["secretAccessKey"],
        role["sessionToken"],
        key["SecretAccessKey"],
        "A-long-Passw0rd!",
        session["SecretAccessKey"],
        session["SessionToken"],
        given["one_time_password"],
        clients.administrator_key()[1],
    ]
    trail = "\n".join(clients.trail_texts())
    assert len(clients.trail_texts()) > 15
    assert [secret for secret in secrets if secret in trail] == []
