"""What happens leaves an event: each call once, with who, what and how it ended, and no secret in it."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime

import pytest
from botocore.exceptions import ClientError
from sandbox_clients import GatewayClient

from idc_sandbox.errors import Request, ServiceError
from idc_sandbox.trail import feed


def records(client: GatewayClient, name: str | None = None) -> list[dict]:
    """Return the records of the feed, oldest first; only those of an event name."""
    found = [json.loads(text) for text in client.trail_texts()]
    return [one for one in found if name in (None, one["eventName"])]


def only(client: GatewayClient, name: str) -> dict:
    (found,) = records(client, name)
    return found


@pytest.fixture
def instance(gateway_client):
    """Return the organization's instance."""
    gateway_client.console("POST", "instance", {})
    (instance,) = gateway_client.client("sso-admin").list_instances()["Instances"]
    return instance


def test_a_write_leaves_its_event_with_the_request_id_of_its_answer(gateway_client, instance):
    sso_admin = gateway_client.client("sso-admin")
    answer = sso_admin.create_permission_set(InstanceArn=instance["InstanceArn"], Name="ReadOnly")
    event = only(gateway_client, "CreatePermissionSet")
    assert event["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert (event["eventSource"], event["awsRegion"], event["readOnly"]) == (
        "sso.amazonaws.com",
        "us-east-1",
        False,
    )
    kind = [event[name] for name in ("eventVersion", "eventType", "eventCategory", "managementEvent")]
    assert kind == ["1.11", "AwsApiCall", "Management", True]
    assert event["requestParameters"] == {"instanceArn": instance["InstanceArn"], "name": "ReadOnly"}
    arn = answer["PermissionSet"]["PermissionSetArn"]
    assert event["responseElements"]["permissionSet"]["permissionSetArn"] == arn
    identity = event["userIdentity"]
    assert (identity["type"], identity["userName"]) == ("IAMUser", "sandbox-administrator")
    assert identity["accessKeyId"] == gateway_client.administrator_key()[0]
    assert identity["principalId"].startswith("AIDA")
    assert event["recipientAccountId"] == gateway_client.management_account_id


@pytest.mark.parametrize("most_kept", [1, 256])
def test_calls_that_differ_in_one_thing_say_so_in_their_events(gateway_client, monkeypatch, most_kept):
    """What such calls have in common is made once: not one of them may get what is another's."""
    monkeypatch.setattr(feed, "_MOST_KEPT", most_kept)
    development = gateway_client.member_account_ids()["Development"]
    ours = gateway_client.client("sts")
    agent = gateway_client.client("sts", config={"user_agent": "x" * 2000})
    region = gateway_client.client("sts", "eu-west-1")
    monkeypatch.setattr(gateway_client, "endpoint_url", "http://localhost:1234")
    host = gateway_client.client("sts")
    caller = gateway_client.client("sts", account=development)
    expected = []
    for _ in range(2):
        for client in (ours, agent, region, host, caller):
            client.get_caller_identity()
        ours.get_session_token()
        boto = "Boto3/"
        own, other = gateway_client.management_account_id, "x" * 1024
        expected += [
            ("GetCallerIdentity", own, "us-east-1", "127.0.0.1:8723", boto),
            ("GetCallerIdentity", own, "us-east-1", "127.0.0.1:8723", other),
            ("GetCallerIdentity", own, "eu-west-1", "127.0.0.1:8723", boto),
            ("GetCallerIdentity", own, "us-east-1", "localhost:1234", boto),
            ("GetCallerIdentity", development, "us-east-1", "localhost:1234", boto),
            ("GetSessionToken", own, "us-east-1", "127.0.0.1:8723", boto),
        ]
    found = [
        (
            one["eventName"],
            one["userIdentity"]["accountId"],
            one["awsRegion"],
            one["tlsDetails"]["clientProvidedHostHeader"],
            one["userAgent"] if one["userAgent"].startswith("x") else one["userAgent"][:6],
        )
        for one in records(gateway_client)
        if one["eventName"].startswith("Get")
    ]
    assert found == expected
    kept = len(gateway_client.gateway.feed._frames)
    assert kept == 1 if most_kept == 1 else kept > 6
    ids = {one["eventID"] for one in records(gateway_client)}
    assert len(ids) == len(records(gateway_client))
    assert {(uuid.UUID(one).version, uuid.UUID(one).variant) for one in ids} == {(4, uuid.RFC_4122)}


def test_sessions_and_addresses_that_differ_in_nothing_else_are_told_apart(gateway_client, monkeypatch):
    development = gateway_client.member_account_ids()["Development"]
    role = f"arn:aws:iam::{development}:role/OrganizationAccountAccessRole"
    send, expected = gateway_client.send, []
    for _ in range(2):
        assumed = gateway_client.client("sts").assume_role(RoleArn=role, RoleSessionName="same")
        keys = {
            "aws_access_key_id": assumed["Credentials"]["AccessKeyId"],
            "aws_secret_access_key": assumed["Credentials"]["SecretAccessKey"],
            "aws_session_token": assumed["Credentials"]["SessionToken"],
        }
        for address in ("127.0.0.1", "203.0.113.7"):
            monkeypatch.setattr(
                gateway_client, "send", lambda request, at=address: send(replace(request, address=at))
            )
            gateway_client.client("iam", credentials=keys).list_users()
            expected.append((keys["aws_access_key_id"], address))
        monkeypatch.setattr(gateway_client, "send", send)
    found = records(gateway_client, "ListUsers")
    assert [(one["userIdentity"]["accessKeyId"], one["sourceIPAddress"]) for one in found] == expected


def test_each_event_has_the_time_of_its_call(gateway_client):
    sts = gateway_client.client("sts")
    for _ in range(3):
        sts.get_caller_identity()
        gateway_client.advance_clock(3600)
    first, second, third = (
        datetime.fromisoformat(one["eventTime"]).timestamp()
        for one in records(gateway_client, "GetCallerIdentity")
    )
    assert 3600 <= second - first < 3660
    assert 3600 <= third - second < 3660
    events = gateway_client.client("cloudtrail").lookup_events()["Events"]
    assert [one["EventTime"].timestamp() for one in events[-3:]] == [third, second, first]


def test_motos_services_leave_theirs_too(gateway_client):
    answer = gateway_client.client("iam", "eu-west-1").create_user(UserName="ana")
    event = only(gateway_client, "CreateUser")
    assert event["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert (event["eventSource"], event["awsRegion"]) == ("iam.amazonaws.com", "us-east-1")
    assert event["requestParameters"] == {"userName": "ana"}
    assert event["responseElements"]["user"]["userId"] == answer["User"]["UserId"]


def test_reads_are_there_without_their_answers(gateway_client, instance):
    assert only(gateway_client, "ListInstances")["responseElements"] is None
    assert only(gateway_client, "ListInstances")["readOnly"] is True


def test_a_call_with_a_roles_keys_says_which_session_it_was(gateway_client):
    development = gateway_client.member_account_ids()["Development"]
    gateway_client.client("iam", account=development).list_users()
    event, assumed = only(gateway_client, "ListUsers"), records(gateway_client, "AssumeRole")[0]
    identity = event["userIdentity"]
    assert (identity["type"], identity["accountId"]) == ("AssumedRole", development)
    assert identity["sessionContext"]["sessionIssuer"] == {
        "type": "Role",
        "principalId": identity["principalId"].partition(":")[0],
        "arn": f"arn:aws:iam::{development}:role/OrganizationAccountAccessRole",
        "accountId": development,
        "userName": "OrganizationAccountAccessRole",
    }
    assert identity["principalId"].startswith("AROA")
    assert identity["sessionContext"]["attributes"] == {
        "creationDate": assumed["eventTime"],
        "mfaAuthenticated": "false",
    }
    assert event["recipientAccountId"] == development
    assert assumed["readOnly"] is True
    assert assumed["responseElements"]["credentials"]["accessKeyId"] == identity["accessKeyId"]


@pytest.mark.parametrize("operation", ["GetSessionToken", "GetFederationToken"])
def test_a_call_with_a_users_temporary_keys_says_whose_they_are(gateway_client, operation):
    sts = gateway_client.client("sts")
    is_federated = operation == "GetFederationToken"
    answer = sts.get_federation_token(Name="guest") if is_federated else sts.get_session_token()
    issued = answer["Credentials"]
    keys = {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["SessionToken"],
    }
    asked = gateway_client.client("sts", credentials=keys).get_caller_identity()
    handed_out, account_id = only(gateway_client, operation), gateway_client.management_account_id
    user = handed_out["userIdentity"]
    dated = {"attributes": {"creationDate": handed_out["eventTime"], "mfaAuthenticated": "false"}}
    issuer = {name: user[name] for name in ("type", "principalId", "arn", "accountId", "userName")}
    expected = {**user, "accessKeyId": issued["AccessKeyId"], "sessionContext": dated}
    if is_federated:
        del expected["userName"]
        expected |= {
            "type": "FederatedUser",
            "principalId": f"{account_id}:guest",
            "arn": asked["Arn"],
            "sessionContext": {"sessionIssuer": issuer, **dated},
        }
    assert only(gateway_client, "GetCallerIdentity")["userIdentity"] == expected


def test_a_role_of_another_account_is_assumed_in_both_accounts(gateway_client):
    development = gateway_client.member_account_ids()["Development"]
    member = gateway_client.client("cloudtrail", account=development)
    own = records(gateway_client, "AssumeRole")[0]
    asked = [{"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}]
    (found,) = member.lookup_events(LookupAttributes=asked)["Events"]
    there = json.loads(found["CloudTrailEvent"])
    assert there["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": own["userIdentity"]["principalId"],
        "accountId": gateway_client.management_account_id,
    }
    assert (there["recipientAccountId"], there["sharedEventID"]) == (development, own["sharedEventID"])
    assert there["eventID"] != own["eventID"]
    for name in ("requestID", "requestParameters", "responseElements", "resources"):
        assert there[name] == own[name]
    arn = own["requestParameters"]["roleArn"]
    assert own["resources"] == [{"ARN": arn, "accountId": development, "type": "AWS::IAM::Role"}]


def test_a_role_that_is_refused_is_no_event_of_its_account(gateway_client):
    development = gateway_client.member_account_ids()["Development"]
    member = gateway_client.client("cloudtrail", account=development)
    asked = [{"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}]
    before = member.lookup_events(LookupAttributes=asked)["Events"]
    arn = f"arn:aws:iam::{development}:role/none"
    with pytest.raises(ClientError):
        gateway_client.client("sts").assume_role(RoleArn=arn, RoleSessionName="tests")
    assert member.lookup_events(LookupAttributes=asked)["Events"] == before


REFUSALS = {
    "in our own words": (
        "identitystore",
        "describe_user",
        {"UserId": "0123456789-00000000-0000-0000-0000-000000000000"},
        ("ResourceNotFoundException", "USER not found"),
    ),
    "by the model": ("sso-admin", "create_instance", {"Name": "*"}, ("ValidationException", "regular exp")),
    "in moto's words": ("iam", "get_user", {"UserName": "x"}, ("NoSuchEntityException", "cannot be found")),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_leaves_its_code_and_message(gateway_client, instance, case):
    service, method, arguments, (code, words) = REFUSALS[case]
    if service == "identitystore":
        arguments = {**arguments, "IdentityStoreId": instance["IdentityStoreId"]}
    with pytest.raises(ClientError) as refused:
        getattr(gateway_client.client(service), method)(**arguments)
    event = records(gateway_client)[-1]
    assert event["errorCode"] == code
    assert words in event["errorMessage"]
    assert event["responseElements"] is None
    assert event["requestID"] == refused.value.response["ResponseMetadata"]["RequestId"]


def test_what_was_denied_is_there_with_who_asked(gateway_client):
    gateway_client.client("iam").create_user(UserName="ana")
    key = gateway_client.client("iam").create_access_key(UserName="ana")["AccessKey"]
    credentials = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    with pytest.raises(ClientError):
        gateway_client.client("sso-admin", credentials=credentials).list_instances()
    event = only(gateway_client, "ListInstances")
    assert (event["errorCode"], event["userIdentity"]["userName"]) == ("AccessDeniedException", "ana")


def test_a_request_that_nobody_signed_rightly_leaves_none(gateway_client):
    key, _ = gateway_client.administrator_key()
    before = len(records(gateway_client))
    for credentials in (
        {"aws_access_key_id": key, "aws_secret_access_key": "wrong"},
        {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "wrong"},
    ):
        with pytest.raises(ClientError):
            gateway_client.client("sso-admin", credentials=credentials).list_instances()
        with pytest.raises(ClientError):
            gateway_client.client("account-access", credentials=credentials).list_applications()
    gateway_client.send(Request("POST", "/", "", {"x-amz-target": "SWBExternalService.ListInstances"}, b"{}"))
    assert len(records(gateway_client)) == before


def test_buckets_are_recorded_and_objects_are_not(gateway_client):
    s3 = gateway_client.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="a/b", Body=b"x")
    s3.get_object(Bucket="kept", Key="a/b")
    s3.list_objects_v2(Bucket="kept")
    names = [one["eventName"] for one in records(gateway_client) if one["eventSource"] == "s3.amazonaws.com"]
    assert names == ["CreateBucket"]
    assert only(gateway_client, "CreateBucket")["requestParameters"]["bucketName"] == "kept"


def test_what_models_call_sensitive_is_hidden(gateway_client, instance):
    gateway_client.client("identitystore").create_group(
        IdentityStoreId=instance["IdentityStoreId"], DisplayName="Auditors"
    )
    assert only(gateway_client, "CreateGroup")["requestParameters"] == {
        "identityStoreId": instance["IdentityStoreId"],
        "displayName": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }
    gateway_client.client("iam").create_user(UserName="ana")
    key = gateway_client.client("iam").create_access_key(UserName="ana")["AccessKey"]
    assert key["SecretAccessKey"] not in json.dumps(records(gateway_client))
    assert only(gateway_client, "CreateAccessKey")["responseElements"]["accessKey"]["status"] == "Active"


def test_the_switch_turns_the_trail_off_and_on(gateway_client):
    sts = gateway_client.client("sts")
    gateway_client.switches(trail=False)
    sts.get_caller_identity()
    assert records(gateway_client) == []
    gateway_client.switches(trail=None)
    sts.get_caller_identity()
    assert [one["eventName"] for one in records(gateway_client)] == ["GetCallerIdentity"]


def test_the_event_of_a_write_that_is_undone_is_undone_with_it(gateway_client, instance, monkeypatch):
    """One transaction: what cannot be recorded is not done, and what is not done is not recorded."""

    def fail(*_arguments):
        raise RuntimeError("no event")

    monkeypatch.setattr(gateway_client.gateway.feed, "record_call", fail)
    sso_admin = gateway_client.client("sso-admin")
    with pytest.raises(ClientError, match="InternalServerException"):
        sso_admin.create_permission_set(InstanceArn=instance["InstanceArn"], Name="ReadOnly")
    monkeypatch.undo()
    assert sso_admin.list_permission_sets(InstanceArn=instance["InstanceArn"])["PermissionSets"] == []
    assert records(gateway_client, "CreatePermissionSet") == []


def test_of_a_page_that_is_refused_the_refusal_stays_and_what_was_undone_does_not(gateway_client, instance):
    gateway, request = gateway_client.gateway, {"InstanceArn": instance["InstanceArn"], "Name": "ReadOnly"}
    administrator = gateway_client.double.secret_of(gateway_client.administrator_key()[0]).caller

    def create_twice() -> None:
        with gateway.visit() as visitor:
            context = replace(visitor, caller=administrator)
            gateway.call_at_console(context, "sso-admin", "CreatePermissionSet", request)
            gateway.call_at_console(context, "sso-admin", "CreatePermissionSet", request)

    with pytest.raises(ServiceError, match="already exists"):
        create_twice()
    assert only(gateway_client, "CreatePermissionSet")["errorCode"] == "ConflictException"


def test_a_refusal_whose_event_cannot_be_made_is_answered_all_the_same(gateway_client, monkeypatch, caplog):
    monkeypatch.setattr(gateway_client.gateway.feed, "record_call", lambda *_arguments: 1 / 0)
    with pytest.raises(ClientError, match="ValidationException") as refused:
        gateway_client.client("sso-admin").create_instance(Name="*")
    assert refused.value.response["ResponseMetadata"]["RequestId"]
    assert "the event of a refusal could not be made" in caplog.text
