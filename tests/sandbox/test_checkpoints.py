"""A running sandbox goes back to what it was: all services, clock and switches, also after a kill."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError

from idc_sandbox.errors import ServiceError


def users_of(client) -> list[str]:
    return [user["UserName"] for user in client.client("iam").list_users()["Users"]]


def test_everything_goes_back_and_ids_come_again(gateway_client):
    gateway_client.console("POST", "instance")
    gateway_client.gateway.keep_checkpoint("begin")
    sso, s3 = gateway_client.client("sso-admin"), gateway_client.client("s3")
    instance = {"InstanceArn": sso.list_instances()["Instances"][0]["InstanceArn"]}
    made = []
    for _ in range(2):
        made.append(sso.create_permission_set(**instance, Name="One")["PermissionSet"]["PermissionSetArn"])
        gateway_client.client("iam").create_user(UserName="one")
        s3.create_bucket(Bucket="one")
        s3.put_object(Bucket="one", Key="large", Body=b"x" * 5000)
        gateway_client.switches(latency_s=0.01, requests_per_second=1)
        gateway_client.advance_clock(60)
        gateway_client.gateway.go_back("begin")
        assert sso.list_permission_sets(**instance)["PermissionSets"] == []
        assert users_of(gateway_client) == ["sandbox-administrator"]
        assert "one" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
        assert gateway_client.gateway.latency_s == 0
        assert gateway_client.gateway.read_switches()["requests_per_second"] == 0
        assert gateway_client.double.now() == pytest.approx(time.time(), abs=30)
    assert made[0] == made[1]


def test_memory_is_not_taken_for_another_state_with_the_same_number(gateway_client):
    gateway, iam = gateway_client.gateway, gateway_client.client("iam")
    gateway.keep_checkpoint("begin")
    iam.create_user(UserName="first")
    gateway.keep_checkpoint("with-first")
    gateway.go_back("begin")
    iam.create_user(UserName="second")
    gateway.go_back("with-first")
    assert "first" in users_of(gateway_client)
    assert "second" not in users_of(gateway_client)


def test_a_key_that_comes_again_is_not_taken_for_its_earlier_owner(gateway_client):
    """Ids come again after the way back: what was remembered of a key would be another one's."""
    gateway, iam = gateway_client.gateway, gateway_client.client("iam")
    gateway.keep_checkpoint("begin")
    found = []
    for name in ("ana", "ben"):
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        found.append(gateway_client.client("sts", credentials=keys).get_caller_identity()["Arn"])
        gateway.go_back("begin")
    assert [arn.rpartition("/")[2] for arn in found] == ["ana", "ben"]


def test_a_process_goes_back_and_the_way_back_outlives_a_kill(fresh_sandbox):
    fresh_sandbox.control("PUT", "checkpoints/begin")
    fresh_sandbox.console("POST", "instance")
    assert fresh_sandbox.client("sso-admin").list_instances()["Instances"]
    fresh_sandbox.control("POST", "checkpoints/begin")
    fresh_sandbox.kill()
    fresh_sandbox.start()
    assert fresh_sandbox.client("sso-admin").list_instances()["Instances"] == []
    with pytest.raises(ServiceError, match=r"no checkpoint 'begin'.*none"):
        fresh_sandbox.control("POST", "checkpoints/begin")


def test_names_are_checked_and_counted(gateway_client):
    gateway = gateway_client.gateway
    for name in ("A", "a b", "", "x" * 65):
        with pytest.raises(ServiceError, match="1 to 64 lowercase letters"):
            gateway.keep_checkpoint(name)
    for number in range(20):
        gateway.keep_checkpoint(f"kept-{number}")
    gateway.keep_checkpoint("kept-3")
    with pytest.raises(ServiceError, match="20 checkpoints already"):
        gateway.keep_checkpoint("one-more")
    with pytest.raises(ServiceError, match=r"no checkpoint 'other'.*kept-0") as caught:
        gateway.go_back("other")
    assert caught.value.code == "ResourceNotFoundException"


def test_a_query_that_runs_ends_with_the_state_that_it_is_of(gateway_client):
    athena, s3 = gateway_client.client("athena"), gateway_client.client("s3")
    s3.create_bucket(Bucket="results")
    gateway_client.gateway.keep_checkpoint("begin")
    endless = "SELECT count(*) FROM range(100000000000) a, range(100000000000) b"
    wanted = {"ResultConfiguration": {"OutputLocation": "s3://results/"}}
    query_id = athena.start_query_execution(QueryString=endless, **wanted)["QueryExecutionId"]
    gateway_client.gateway.go_back("begin")
    assert not gateway_client.gateway.queries._engines
    with pytest.raises(ClientError, match="InvalidRequestException"):
        athena.get_query_execution(QueryExecutionId=query_id)
