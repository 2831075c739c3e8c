"""AWS's limit of requests a second: off by default, on in drills, in each service's own form."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from idc_sandbox import switches
from idc_sandbox.errors import ServiceError


@pytest.fixture
def second(monkeypatch):
    """Return the machine's time, which stands still until a test moves it."""
    moment = [100.0]
    monkeypatch.setattr(switches.time, "monotonic", lambda: moment[0])
    return moment


def throttled(call, count) -> list[ClientError]:
    errors = []
    for _ in range(count):
        try:
            call()
        except ClientError as error:
            errors.append(error)
    return errors


def test_it_is_off_by_default(gateway_client):
    assert throttled(gateway_client.client("sso-admin").list_instances, 40) == []


def test_sso_admin_counts_all_operations_together(gateway_client, second):
    gateway_client.console("POST", "instance")
    client = gateway_client.client("sso-admin")
    instance_arn = client.list_instances()["Instances"][0]["InstanceArn"]
    gateway_client.switches(requests_per_second=20)
    assert throttled(client.list_instances, 12) == []
    errors = throttled(lambda: client.list_permission_sets(InstanceArn=instance_arn), 12)
    assert len(errors) == 4
    assert errors[0].response["Error"]["Code"] == "ThrottlingException"
    assert errors[0].response["Error"]["Message"].startswith("Rate exceeded")
    assert "RetryAfterSeconds" not in errors[0].response
    second[0] += 1.01
    assert throttled(client.list_instances, 20) == []
    gateway_client.switches(requests_per_second=None)
    assert throttled(client.list_instances, 30) == []


def test_identitystore_counts_each_operation_and_says_when_to_come_again(gateway_client, second):
    gateway_client.console("POST", "instance")
    store_id = gateway_client.client("sso-admin").list_instances()["Instances"][0]["IdentityStoreId"]
    gateway_client.switches(requests_per_second=20)
    client = gateway_client.client("identitystore")
    assert throttled(lambda: client.list_users(IdentityStoreId=store_id), 20) == []
    assert throttled(lambda: client.list_groups(IdentityStoreId=store_id), 20) == []
    (error,) = throttled(lambda: client.list_groups(IdentityStoreId=store_id), 1)
    assert error.response["RetryAfterSeconds"] == 1
    assert error.response["RequestId"] == error.response["ResponseMetadata"]["RequestId"]


def test_the_limit_outlives_a_restart(gateway_client, second):
    gateway_client.switches(requests_per_second=1)
    gateway_client.restart()
    assert len(throttled(gateway_client.client("sso-admin").list_instances, 3)) == 2


def test_a_retry_of_boto3_gets_through(gateway_client):
    gateway_client.switches(requests_per_second=20)
    retries = {"retries": {"mode": "standard", "total_max_attempts": 6}}
    assert throttled(gateway_client.client("sso-admin", config=retries).list_instances, 25) == []


@pytest.mark.parametrize(
    ("call", "options", "said"),
    [
        ("describe_user", {"UserId": "00000000-0000-0000-0000-000000000000"}, "USER not found."),
        ("describe_group", {"GroupId": "00000000-0000-0000-0000-000000000000"}, "GROUP not found."),
    ],
)
def test_errors_of_identitystore_begin_with_the_words_of_aws_and_name_their_request(
    gateway_client, call, options, said
):
    gateway_client.console("POST", "instance")
    store_id = gateway_client.client("sso-admin").list_instances()["Instances"][0]["IdentityStoreId"]
    client = gateway_client.client("identitystore")
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(IdentityStoreId=store_id, **options)
    answer = caught.value.response
    assert answer["Error"]["Message"].startswith(said)
    assert answer["RequestId"] == answer["ResponseMetadata"]["RequestId"]


def test_a_limiter_by_itself(second):
    limiter = switches.RateLimiter(2)
    limiter.take("sso-admin", "ListInstances")
    limiter.take("sso-admin", "ListTagsForResource")
    with pytest.raises(ServiceError, match="2 requests in a second"):
        limiter.take("sso-admin", "ListInstances")
    second[0] += 1
    limiter.take("sso-admin", "ListInstances")
