"""Identity stores themselves: who sees which, by what name, and their network configuration."""

from __future__ import annotations

import pytest
from identity_store_harness import (
    ACCOUNT_STORE,
    DELEGATE,
    MANAGEMENT,
    MEMBER,
    ORGANIZATION_STORE,
    OUTSIDER,
    Directory,
)

from idc_sandbox.wire import registry
from idc_sandbox.wire.models import service_model

ORGANIZATION_STORE_ARN = f"arn:aws:identitystore::{MANAGEMENT}:identitystore/{ORGANIZATION_STORE}"


@pytest.fixture
def directory(tmp_path):
    return Directory(tmp_path)


def test_every_operation_of_the_service_is_answered():
    assert sorted(name for service, name in registry.handlers() if service == "identitystore") == sorted(
        service_model("identitystore").operation_names
    )


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (MANAGEMENT, [ORGANIZATION_STORE]),
        (DELEGATE, [ORGANIZATION_STORE]),
        (MEMBER, []),
        (OUTSIDER, [ACCOUNT_STORE]),
    ],
)
def test_each_account_sees_the_stores_that_it_administers(directory, account, expected):
    listed = directory.call("ListIdentityStores", account=account)["IdentityStores"]
    assert [one["IdentityStoreId"] for one in listed] == expected
    assert directory.call("ListIdentityStores", account=account, region="eu-west-1")["IdentityStores"] == []


def test_a_store_is_described_by_id_and_by_arn(directory):
    for reference in (ORGANIZATION_STORE, ORGANIZATION_STORE_ARN):
        answer = directory.call("DescribeIdentityStore", IdentityStoreId=reference)
        assert answer == {
            "IdentityStoreId": ORGANIZATION_STORE,
            "IdentityStoreArn": ORGANIZATION_STORE_ARN,
            "NetworkConfiguration": {"VpceAccessRequired": False},
        }


@pytest.mark.parametrize("operation", ["DescribeIdentityStore", "ListUsers", "ListGroups"])
def test_a_store_that_is_not_there_or_not_yours_is_refused(directory, operation):
    error = directory.refusal(operation, IdentityStoreId="d-0000000000")
    assert error.members == {"ResourceType": "IDENTITY_STORE", "ResourceId": "d-0000000000"}
    assert directory.refusal(operation, region="eu-west-1").code == "ResourceNotFoundException"
    assert directory.refusal(operation, IdentityStoreId=ACCOUNT_STORE).code == "AccessDeniedException"
    other = ORGANIZATION_STORE_ARN.replace(MANAGEMENT, MEMBER)
    assert directory.refusal(operation, IdentityStoreId=other).code == "AccessDeniedException"
    assert directory.refusal(operation, IdentityStoreId="store").code == "ValidationException"


def test_a_network_configuration_replaces_the_one_before(directory):
    first = {
        "VpceAccessRequired": True,
        "ApiAllowSourceIps": ["127.0.0.0/8"],
        "ScimAllowSourceIps": ["0.0.0.0/0"],
    }
    second = {"VpceAccessRequired": True, "ApiAllowSourceIps": ["127.0.0.1"]}
    for configuration in (first, second, {"VpceAccessRequired": False}):
        answer = directory.call("UpdateIdentityStore", NetworkConfiguration=configuration)
        assert answer == {"IdentityStoreId": ORGANIZATION_STORE, "IdentityStoreArn": ORGANIZATION_STORE_ARN}
        assert directory.call("DescribeIdentityStore")["NetworkConfiguration"] == configuration
    directory.call("UpdateIdentityStore", NetworkConfiguration=first)
    directory.call("UpdateIdentityStore")
    assert directory.call("DescribeIdentityStore")["NetworkConfiguration"] == first


@pytest.mark.parametrize(
    "configuration",
    [
        {"VpceAccessRequired": False, "ApiAllowSourceIps": ["127.0.0.1"]},
        {"VpceAccessRequired": False, "ScimAllowSourceIps": ["127.0.0.1"]},
        {"VpceAccessRequired": True},
        {"VpceAccessRequired": True, "ApiAllowSourceIps": ["192.0.2.0/24"]},
        {"VpceAccessRequired": True, "ApiAllowSourceIps": []},
        {"VpceAccessRequired": True, "ApiAllowSourceIps": ["everywhere"]},
        {"ApiAllowSourceIps": ["127.0.0.1"]},
    ],
)
def test_a_configuration_that_means_nothing_or_locks_its_caller_out_is_refused(directory, configuration):
    assert (
        directory.refusal("UpdateIdentityStore", NetworkConfiguration=configuration).code
        == "ValidationException"
    )
    assert directory.call("DescribeIdentityStore")["NetworkConfiguration"] == {"VpceAccessRequired": False}


def test_a_member_account_cannot_change_the_organizations_store(directory):
    error = directory.refusal(
        "UpdateIdentityStore", account=MEMBER, NetworkConfiguration={"VpceAccessRequired": False}
    )
    assert error.code == "AccessDeniedException"
