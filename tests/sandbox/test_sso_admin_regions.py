"""Regions of an instance: the home Region, and what it takes to add and remove a further one."""

from __future__ import annotations

import pytest
from handler_harness import DEVELOPMENT, Harness

from idc_sandbox import store

KEY = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
SINGLE_REGION_KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
WEST = {"RegionName": "eu-west-1"}


@pytest.fixture
def center(tmp_path) -> Harness:
    return Harness(tmp_path / "sandbox.db")


def encrypt(center: Harness, key_arn: str = KEY) -> None:
    center.sso(
        "UpdateInstance",
        EncryptionConfiguration={"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": key_arn},
    )


def statuses(center: Harness) -> dict[str, str]:
    return {one["RegionName"]: one["Status"] for one in center.sso("ListRegions")["Regions"]}


def add(center: Harness, region: str = "eu-west-1") -> None:
    assert center.sso("AddRegion", RegionName=region) == {"Status": "ADDING"}
    center.wait()
    assert statuses(center)[region] == "ACTIVE"


def test_the_home_region_is_the_first(center):
    (region,) = center.sso("ListRegions")["Regions"]
    assert (region["RegionName"], region["Status"]) == ("us-east-1", "ACTIVE")
    assert region["IsPrimaryRegion"] is True
    assert center.sso("DescribeRegion", RegionName="us-east-1") == region
    center.refused("DescribeRegion", "ResourceNotFoundException", **WEST)
    center.refused("AddRegion", "ConflictException", RegionName="us-east-1")


def test_a_further_region_needs_a_multi_region_key(center):
    message = center.refused("AddRegion", "ValidationException", **WEST)
    assert "a key that AWS owns" in message
    assert "needs a customer managed multi-Region KMS key" in message
    encrypt(center, SINGLE_REGION_KEY)
    assert SINGLE_REGION_KEY in center.refused("AddRegion", "ValidationException", **WEST)
    assert statuses(center) == {"us-east-1": "ACTIVE"}


@pytest.mark.parametrize("region", ["af-south-1", "xx-west-9"])
def test_a_region_that_needs_an_opt_in_or_is_none_is_refused(center, region):
    encrypt(center)
    assert repr(region) in center.refused("AddRegion", "ValidationException", RegionName=region)


def test_an_account_instance_has_one_region(center):
    instance_arn = center.call("sso-admin", "CreateInstance", caller_account=DEVELOPMENT)["InstanceArn"]
    center.wait()
    message = center.refused(
        "AddRegion", "ValidationException", InstanceArn=instance_arn, caller_account=DEVELOPMENT, **WEST
    )
    assert "an account instance has one Region" in message


def test_a_region_is_added_and_removed_in_time(center):
    encrypt(center)
    assert center.sso("AddRegion", **WEST) == {"Status": "ADDING"}
    found = center.sso("DescribeRegion", **WEST)
    assert (found["Status"], found["IsPrimaryRegion"]) == ("ADDING", False)
    center.refused("AddRegion", "ConflictException", RegionName="eu-north-1")
    center.refused("RemoveRegion", "ConflictException", **WEST)
    center.wait()
    assert statuses(center) == {"us-east-1": "ACTIVE", "eu-west-1": "ACTIVE"}
    regions = center.sso("DescribeInstance")["Regions"]
    assert [one["RegionName"] for one in regions] == ["us-east-1", "eu-west-1"]
    center.refused("AddRegion", "ConflictException", **WEST)
    assert center.sso("RemoveRegion", **WEST) == {"Status": "REMOVING"}
    assert statuses(center)["eu-west-1"] == "REMOVING"
    center.wait()
    assert statuses(center) == {"us-east-1": "ACTIVE"}
    center.refused("RemoveRegion", "ResourceNotFoundException", **WEST)


def test_the_home_region_stays(center):
    message = center.refused("RemoveRegion", "ValidationException", RegionName="us-east-1")
    assert "home Region" in message


def test_six_regions_and_no_more(center):
    encrypt(center)
    for region in ("eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "eu-central-1"):
        add(center, region)
    message = center.refused("AddRegion", "ServiceQuotaExceededException", RegionName="us-west-2")
    assert "6" in message
    pages = center.pages("ListRegions", "Regions", MaxResults=4)
    assert [len(page) for page in pages] == [4, 2]


def test_a_further_region_reads_and_manages_applications_alone(center):
    encrypt(center)
    center.refused("ListPermissionSets", "ResourceNotFoundException", region="eu-west-1")
    add(center)
    there = {"region": "eu-west-1"}
    listed = center.call("sso-admin", "ListInstances", **there)["Instances"]
    assert [one["InstanceArn"] for one in listed] == [center.instance_arn]
    assert center.sso("ListPermissionSets", **there) == {"PermissionSets": []}
    of_store = {"IdentityStoreId": center.identity_store_id}
    assert center.call("identitystore", "ListUsers", **of_store, **there)["Users"] == []
    message = center.refused("CreatePermissionSet", "AccessDeniedException", Name="Readers", **there)
    assert "call its home Region 'us-east-1'" in message
    with pytest.raises(Exception, match="call its home Region 'us-east-1'"):
        center.call("identitystore", "CreateGroup", DisplayName="Readers", **of_store, **there)
    provider = "arn:aws:sso::aws:applicationProvider/custom"
    arn = center.sso("CreateApplication", ApplicationProviderArn=provider, Name="App", **there)[
        "ApplicationArn"
    ]
    assert center.sso("DescribeApplication", ApplicationArn=arn)["CreatedFrom"] == "eu-west-1"
    center.refused("RemoveRegion", "AccessDeniedException", **WEST, **there)


def test_an_instance_with_further_regions_is_not_deleted(center):
    encrypt(center)
    add(center)
    assert "eu-west-1" in center.refused("DeleteInstance", "ConflictException")
    center.sso("RemoveRegion", **WEST)
    center.wait()
    center.sso("DeleteInstance")


def test_a_clock_that_goes_back_delays_no_region(center):
    encrypt(center)
    center.wait()
    center.sso("AddRegion", **WEST)
    with center.store.transaction() as connection:
        store.reset_clock(connection)
    assert statuses(center)["eu-west-1"] == "ACTIVE"
