"""What is looked at again before a group is deleted, and by whom."""

import pytest
from stub_transport import MEMBER_ID

from idc_aws.uses import uses_of_principals

ARN = "arn:aws:sso:::permissionSet/ssoins-1111222233334444/ps-1111222233334444"
GROUP_ID = "11111111-2222-4333-8444-555555555555"
ROW = {"AccountId": MEMBER_ID, "PermissionSetArn": ARN, "PrincipalType": "GROUP", "PrincipalId": GROUP_ID}


@pytest.fixture
def used_group(transport):
    """A group that has an assignment in the member account."""
    described = {"Name": "Auditors", "PermissionSetArn": ARN}
    transport.on("ListGroupMemberships", {"GroupMemberships": []})
    transport.on("ListPermissionSets", {"PermissionSets": [ARN]})
    transport.on("DescribePermissionSet", {"PermissionSet": described})
    transport.on("ListAccountsForProvisionedPermissionSet", {"AccountIds": [MEMBER_ID]})
    transport.on("ListAccountAssignments", {"AccountAssignments": [ROW]})
    transport.on("ListApplications", {"Applications": []})


@pytest.mark.parametrize(("again", "number"), [(False, 1), (True, 0)])
def test_a_delegate_reads_assignments_by_pair_once_and_not_again(
    member_connection, used_group, transport, again, number
):
    found = uses_of_principals(member_connection, "GROUP", {GROUP_ID: "Auditors"}, (), again=again)
    assert [use.kind for use in found[GROUP_ID]] == ["account_assignment"] * number
    assert len(transport.made("ListAccountAssignments")) == number
    assert len(transport.made("ListApplications")) == number
