"""Tags of instances and permission sets."""

from __future__ import annotations

import pytest
from handler_harness import DEVELOPMENT, MANAGEMENT, SECURITY, Harness


@pytest.fixture
def center(tmp_path) -> Harness:
    return Harness(tmp_path / "sandbox.db")


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def listed(center: Harness, resource_arn: str) -> list[dict[str, str]]:
    return center.call("sso-admin", "ListTagsForResource", ResourceArn=resource_arn)["Tags"]


@pytest.mark.parametrize("kind", ["instance", "permission set"])
def test_tags_are_added_changed_and_removed(center, kind):
    resource_arn = center.instance_arn if kind == "instance" else center.add_permission_set("Admin")
    center.call("sso-admin", "TagResource", ResourceArn=resource_arn, Tags=tags(a="1", b="2"))
    center.sso("TagResource", ResourceArn=resource_arn, Tags=tags(b="3", c=""))
    assert listed(center, resource_arn) == tags(a="1", b="3", c="")
    center.sso("UntagResource", ResourceArn=resource_arn, TagKeys=["a", "not there"])
    assert listed(center, resource_arn) == tags(b="3", c="")


def test_tags_of_a_deleted_permission_set_are_gone(center):
    permission_set_arn = center.add_permission_set("Admin", Tags=tags(a="1"))
    center.sso("DeletePermissionSet", PermissionSetArn=permission_set_arn)
    assert center.execute("SELECT * FROM tag") == []


def test_seventy_five_tags_and_no_more(center):
    permission_set_arn = center.add_permission_set("Admin", Tags=tags(**{f"key{n}": "" for n in range(75)}))
    center.sso("TagResource", ResourceArn=permission_set_arn, Tags=tags(key0="changed"))
    message = center.refused(
        "TagResource", "ServiceQuotaExceededException", ResourceArn=permission_set_arn, Tags=tags(one="more")
    )
    assert "76" in message
    assert len(listed(center, permission_set_arn)) == 75


@pytest.mark.parametrize("given", [tags(a="1") + tags(a="2"), [{"Key": "aws:reserved", "Value": ""}]])
def test_repeated_and_reserved_keys_are_refused(center, given):
    center.refused("TagResource", "ValidationException", ResourceArn=center.instance_arn, Tags=given)
    assert listed(center, center.instance_arn) == []


def test_resources_that_are_not_there_cannot_be_tagged(center):
    instance_id = center.instance_arn.rpartition("/")[2]
    for resource_arn in (
        f"arn:aws:sso:::permissionSet/{instance_id}/ps-0000000000000000",
        f"arn:aws:sso::111122223333:application/{instance_id}/apl-0000000000000000",
        "arn:aws:sso:::instance/ssoins-0000000000000000",
    ):
        message = center.refused(
            "ListTagsForResource",
            "ResourceNotFoundException",
            InstanceArn="arn:aws:sso:::instance/" + resource_arn.rpartition(":")[2].split("/")[1],
            ResourceArn=resource_arn,
        )
        assert resource_arn in message


def test_a_resource_of_another_instance_is_refused(center):
    center.refused(
        "TagResource",
        "ValidationException",
        InstanceArn="arn:aws:sso:::instance/ssoins-0000000000000000",
        ResourceArn=center.instance_arn,
        Tags=tags(a="1"),
    )


def test_who_may_tag(center):
    center.refused(
        "TagResource",
        "AccessDeniedException",
        caller_account=DEVELOPMENT,
        ResourceArn=center.instance_arn,
        Tags=[],
    )
    center.double.delegates.add(SECURITY)
    permission_set_arn = center.add_permission_set("Admin")
    center.sso(
        "TagResource", caller_account=SECURITY, ResourceArn=permission_set_arn, Tags=tags(by="delegate")
    )
    assert listed(center, permission_set_arn) == tags(by="delegate")
    center.assign(permission_set_arn, center.add_group("Admins"), MANAGEMENT)
    untag = {"ResourceArn": permission_set_arn, "TagKeys": ["by"]}
    center.refused("UntagResource", "AccessDeniedException", caller_account=SECURITY, **untag)
    center.sso("ListTagsForResource", caller_account=SECURITY, ResourceArn=permission_set_arn)
