"""One request, one transaction: what is answered is kept, what is refused is not."""

from __future__ import annotations

import json
import logging

import pytest
from botocore.exceptions import ClientError

from idc_sandbox import gateway as gateway_module
from idc_sandbox.errors import Request


def refused(call, **arguments) -> dict:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response


@pytest.fixture
def instance(gateway_client):
    """Return the organization instance, enabled as the console does it."""
    gateway_client.console("POST", "instance", {"name": "practice"})
    (instance,) = gateway_client.client("sso-admin").list_instances()["Instances"]
    return instance


def test_services_of_both_kinds_answer_behind_one_port(gateway_client):
    identity = gateway_client.client("sts").get_caller_identity()
    assert identity["Account"] == gateway_client.management_account_id == "111122223333"
    assert gateway_client.client("sso-admin").list_instances()["Instances"] == []
    organization = gateway_client.client("organizations").describe_organization()["Organization"]
    assert organization["MasterAccountId"] == identity["Account"]
    gateway_client.client("s3").create_bucket(Bucket="practice-bucket")
    assert gateway_client.client("iam").list_users()["Users"]


def test_a_member_account_is_a_caller_of_its_own(gateway_client):
    development = gateway_client.member_account_ids()["Development"]
    assert gateway_client.client("sts", account=development).get_caller_identity()["Account"] == development


def test_an_answer_carries_a_request_id(gateway_client):
    for service, operation in (("sso-admin", "list_instances"), ("sts", "get_caller_identity")):
        answer = getattr(gateway_client.client(service), operation)()
        assert answer["ResponseMetadata"]["RequestId"]


def test_unknown_keys_are_refused_in_each_protocol(gateway_client):
    credentials = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "wrong"}

    def code(service, operation):
        client = gateway_client.client(service, credentials=credentials)
        return refused(getattr(client, operation))["Error"]["Code"]

    assert code("sso-admin", "list_instances") == "UnrecognizedClientException"
    assert code("organizations", "list_roots") == "UnrecognizedClientException"
    assert code("sts", "get_caller_identity") == "InvalidClientTokenId"
    assert code("s3", "list_buckets") == "InvalidAccessKeyId"


def test_a_wrong_secret_is_a_wrong_signature(gateway_client):
    key, _ = gateway_client.administrator_key()
    credentials = {"aws_access_key_id": key, "aws_secret_access_key": "wrong"}
    client = gateway_client.client("identitystore", credentials=credentials)
    error = refused(client.list_users, IdentityStoreId="d-0123456789")["Error"]
    assert error["Code"] == "InvalidSignatureException"


def test_an_unsigned_request_is_refused(gateway_client):
    request = Request("POST", "/", "", {"x-amz-target": "SWBExternalService.ListInstances"}, b"{}")
    answer = gateway_client.send(request)
    assert json.loads(answer.content)["__type"] == "MissingAuthenticationTokenException"


def test_an_operation_that_is_not_there_is_a_modelled_error(gateway_client):
    response = refused(gateway_client.client("athena").list_capacity_reservations)
    assert response["Error"]["Code"] == "InvalidRequestException"
    assert "ListCapacityReservations" in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_service_that_is_not_there_is_an_error_and_no_500(gateway_client):
    response = refused(gateway_client.client("dynamodb").list_tables)
    assert response["ResponseMetadata"]["HTTPStatusCode"] < 500
    assert response["Error"]["Code"]


def test_a_body_that_is_not_json_is_refused(gateway_client, monkeypatch):
    client = gateway_client.client("sso-admin")
    # The signature must be right, so the body is spoilt before it is signed.
    client.meta.events.register("before-call", lambda params, **_: params.update(body=b'["a"]'))
    assert refused(client.list_instances)["Error"]["Code"] == "SerializationException"


def test_a_refused_request_leaves_nothing_behind(gateway_client, instance):
    client = gateway_client.client("sso-admin")
    arguments = {"InstanceArn": instance["InstanceArn"], "Name": "Readers"}
    client.create_permission_set(**arguments)
    before = list(gateway_client.store._connection.iterdump())
    assert refused(client.create_permission_set, **arguments)["Error"]["Code"] == "ConflictException"
    assert list(gateway_client.store._connection.iterdump()) == before
    assert "ConflictException" in gateway_client.trail_texts()[-1], "nothing but the trail's event"


def test_what_came_due_outlives_a_refused_request(gateway_client, instance):
    gateway_client.gateway.write_switches({"asynchronous_duration_s": 0})
    client, store = gateway_client.client("sso-admin"), gateway_client.client("identitystore")
    of_instance = {"InstanceArn": instance["InstanceArn"]}
    created = client.create_permission_set(**of_instance, Name="Readers")["PermissionSet"]
    group = store.create_group(IdentityStoreId=instance["IdentityStoreId"], DisplayName="Readers")
    client.create_account_assignment(
        **of_instance,
        PermissionSetArn=created["PermissionSetArn"],
        TargetId=gateway_client.management_account_id,
        TargetType="AWS_ACCOUNT",
        PrincipalType="GROUP",
        PrincipalId=group["GroupId"],
    )
    refused(client.create_permission_set, **of_instance, Name="Readers")
    query = "SELECT status FROM asynchronous_request"
    assert [tuple(row) for row in gateway_client.store._connection.execute(query)] == [("SUCCEEDED",)]


def test_a_region_that_is_due_is_there_at_the_next_request(gateway_client, instance):
    gateway_client.gateway.write_switches({"asynchronous_duration_s": 0})
    client, of_instance = gateway_client.client("sso-admin"), {"InstanceArn": instance["InstanceArn"]}
    key = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
    encryption = {"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": key}
    client.update_instance(**of_instance, EncryptionConfiguration=encryption)
    client.add_region(**of_instance, RegionName="eu-west-1")
    assert client.describe_region(**of_instance, RegionName="eu-west-1")["Status"] == "ACTIVE"


def test_a_defect_is_the_services_own_error_and_rolls_back(gateway_client, instance, monkeypatch, caplog):
    def broken_call(context, *_arguments):
        context.connection.execute("DELETE FROM instance")
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(gateway_module.registry, "call_operation", broken_call)
    client = gateway_client.client("sso-admin")
    with caplog.at_level(logging.ERROR):
        response = refused(client.describe_instance, InstanceArn=instance["InstanceArn"])
    assert response["Error"]["Code"] == "InternalServerException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "ZeroDivisionError: a defect" in caplog.text
    monkeypatch.undo()
    assert client.describe_instance(InstanceArn=instance["InstanceArn"])["Status"] == "ACTIVE"


def test_the_log_of_a_defect_holds_no_body(gateway_client, monkeypatch, caplog):
    def broken_call(*_arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(gateway_module.registry, "call_operation", broken_call)
    with caplog.at_level(logging.DEBUG, logger="idc_sandbox"):
        refused(gateway_client.client("sso-admin").create_instance, Name="hush-hush")
    assert "ZeroDivisionError" in caplog.text
    assert "hush-hush" not in caplog.text


def test_every_third_call_is_throttled(gateway_client):
    fault = {"service": "sso-admin", "operation": "*", "code": "ThrottlingException", "every": 3}
    gateway_client.switches(faults=[fault])
    client = gateway_client.client("sso-admin")
    codes = []
    for _ in range(6):
        try:
            client.list_instances()
            codes.append(None)
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes == [None, None, "ThrottlingException"] * 2
    gateway_client.client("sts").get_caller_identity()


def test_boto3_retries_its_way_through_a_throttle(gateway_client):
    gateway_client.switches(faults=[{"service": "sso-admin", "code": "ThrottlingException", "next": 1}])
    patient = gateway_client.client("sso-admin", config={"retries": {"total_max_attempts": 2}})
    assert patient.list_instances()["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.parametrize(
    ("service", "operation", "call", "arguments"),
    [
        ("s3", "PutObject", "put_object", {"Bucket": "faulty", "Key": "k", "Body": b"x"}),
        ("sts", "GetCallerIdentity", "get_caller_identity", {}),
        ("iam", "CreateUser", "create_user", {"UserName": "ana"}),
        ("organizations", "ListRoots", "list_roots", {}),
    ],
)
def test_faults_reach_motos_services_before_they_act(gateway_client, service, operation, call, arguments):
    gateway_client.client("s3").create_bucket(Bucket="faulty")
    fault = {
        "service": service,
        "operation": operation,
        "code": "ServiceUnavailable",
        "status": 503,
        "next": 1,
    }
    gateway_client.switches(faults=[fault])
    response = refused(getattr(gateway_client.client(service), call), **arguments)
    assert response["Error"]["Code"] == "ServiceUnavailable"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "Contents" not in gateway_client.client("s3").list_objects_v2(Bucket="faulty")
    assert "ana" not in {user["UserName"] for user in gateway_client.client("iam").list_users()["Users"]}
    getattr(gateway_client.client(service), call)(**arguments)


def test_a_refused_request_still_settles_what_has_come_due(gateway_client, instance):
    client = gateway_client.client("sso-admin")
    instance_arn = instance["InstanceArn"]
    created = client.create_permission_set(InstanceArn=instance_arn, Name="Readers")["PermissionSet"]
    group = gateway_client.client("identitystore").create_group(
        IdentityStoreId=instance["IdentityStoreId"], DisplayName="Readers"
    )
    target = {"TargetId": gateway_client.management_account_id, "TargetType": "AWS_ACCOUNT"}
    principal = {"PrincipalType": "GROUP", "PrincipalId": group["GroupId"]}
    status = client.create_account_assignment(
        InstanceArn=instance_arn, PermissionSetArn=created["PermissionSetArn"], **target, **principal
    )["AccountAssignmentCreationStatus"]
    assert status["Status"] == "IN_PROGRESS"
    gateway_client.advance_clock(60)
    refused(client.describe_permission_set, InstanceArn=instance_arn, PermissionSetArn=instance_arn)
    row = gateway_client.store._connection.execute("SELECT status FROM asynchronous_request").fetchone()
    assert row["status"] == "SUCCEEDED"
    roles = gateway_client.client("iam").list_roles(PathPrefix="/aws-reserved/")["Roles"]
    assert [role["RoleName"].rpartition("_")[0] for role in roles] == ["AWSReservedSSO_Readers"]


def test_the_same_seed_gives_the_same_ids(tmp_path_factory, gateway_client):
    def story(client) -> list[str]:
        client.console("POST", "instance", {})
        (instance,) = client.client("sso-admin").list_instances()["Instances"]
        user = client.client("iam").create_user(UserName="ana")["User"]["UserId"]
        accounts = sorted(client.member_account_ids().values())
        group = client.client("identitystore").create_group(
            IdentityStoreId=instance["IdentityStoreId"], DisplayName="Readers"
        )["GroupId"]
        return [instance["InstanceArn"], instance["IdentityStoreId"], group, user, *accounts]

    first = story(gateway_client)
    again = type(gateway_client)(tmp_path_factory.mktemp("again"), seed=7)
    assert story(again) == first
    again.store.close()
    other = type(gateway_client)(tmp_path_factory.mktemp("other"), seed=8)
    assert not set(story(other)) & set(first) - {gateway_client.management_account_id}
    other.store.close()


def test_the_console_acts_in_the_management_account(gateway_client, instance):
    assert instance["OwnerAccountId"] == gateway_client.management_account_id
    assert instance["Name"] == "practice"
