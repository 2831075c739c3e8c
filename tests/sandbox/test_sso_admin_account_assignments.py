"""Account assignments: from IN_PROGRESS to the end, limits, lists, and who may make them."""

from __future__ import annotations

import pytest
from handler_harness import DEVELOPMENT, MANAGEMENT, PRODUCTION, SECURITY, Harness

UNKNOWN_PRINCIPAL = "01234567-89ab-4cde-8f01-23456789abcd"


@pytest.fixture
def center(tmp_path) -> Harness:
    return Harness(tmp_path / "sandbox.db")


@pytest.fixture
def admin(center) -> str:
    return center.add_permission_set("Admin")


@pytest.fixture
def group(center) -> str:
    return center.add_group("Admins")


def listed(center: Harness, admin: str, account: str = DEVELOPMENT) -> list[dict]:
    answer = center.sso("ListAccountAssignments", PermissionSetArn=admin, AccountId=account)
    return answer["AccountAssignments"]


def for_principal(center: Harness, principal_type: str, principal_id: str, **request) -> list[tuple]:
    answer = center.sso(
        "ListAccountAssignmentsForPrincipal",
        PrincipalType=principal_type,
        PrincipalId=principal_id,
        **request,
    )
    return [
        (row["AccountId"], row["PrincipalType"], row["PrincipalId"]) for row in answer["AccountAssignments"]
    ]


def test_an_assignment_is_in_progress_first_and_then_there(center, admin, group):
    request = center.assignment(admin, group)
    started = center.sso("CreateAccountAssignment", **request)["AccountAssignmentCreationStatus"]
    assert started["Status"] == "IN_PROGRESS"
    assert request.items() <= started.items()
    assert listed(center, admin) == []
    assert center.creation_status(started["RequestId"]) == started
    center.wait()
    assert center.creation_status(started["RequestId"]) == {**started, "Status": "SUCCEEDED"}
    assert listed(center, admin) == [
        {"AccountId": DEVELOPMENT, "PermissionSetArn": admin, "PrincipalType": "GROUP", "PrincipalId": group}
    ]
    assert center.double.role_names(DEVELOPMENT)[0].startswith("AWSReservedSSO_Admin_")


def test_assigning_again_succeeds_and_changes_nothing(center, admin, group):
    center.assign(admin, group)
    role = center.double.role(DEVELOPMENT)
    assert center.assign(admin, group)["Status"] == "SUCCEEDED"
    assert len(listed(center, admin)) == 1
    assert center.double.role(DEVELOPMENT) is role


@pytest.mark.parametrize(
    "wrong",
    [
        {"TargetId": "999988887777"},
        {"PrincipalId": UNKNOWN_PRINCIPAL},
        {"PrincipalType": "USER"},
        {"PermissionSetArn": "arn:aws:sso:::permissionSet/ssoins-7223000000000000/ps-0000000000000000"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_does_not_exist_cannot_be_assigned(center, admin, group, wrong):
    request = {**center.assignment(admin, group), **wrong}
    message = center.refused("CreateAccountAssignment", "ResourceNotFoundException", **request)
    (name,) = wrong
    assert request[name] in message
    assert center.sso("ListAccountAssignmentCreationStatus")["AccountAssignmentsCreationStatus"] == []


def test_the_role_goes_with_the_last_assignment_and_comes_back_with_another_suffix(center, admin, group):
    other = center.add_group("Others")
    center.assign(admin, group)
    center.assign(admin, other)
    (first_role,) = center.double.role_names(DEVELOPMENT)
    assert center.unassign(admin, group)["Status"] == "SUCCEEDED"
    assert center.double.role_names(DEVELOPMENT) == [first_role]
    center.unassign(admin, other)
    assert center.double.role_names(DEVELOPMENT) == []
    provisioned = center.sso("ListAccountsForProvisionedPermissionSet", PermissionSetArn=admin)
    assert provisioned["AccountIds"] == []
    center.assign(admin, group)
    (second_role,) = center.double.role_names(DEVELOPMENT)
    assert second_role != first_role


def test_a_deletion_is_in_progress_first(center, admin, group):
    center.assign(admin, group)
    request = center.assignment(admin, group)
    started = center.sso("DeleteAccountAssignment", **request)["AccountAssignmentDeletionStatus"]
    assert started["Status"] == "IN_PROGRESS"
    assert len(listed(center, admin)) == 1
    center.wait()
    assert listed(center, admin) == []


def test_an_assignment_that_is_not_there_cannot_be_deleted(center, admin, group):
    request = center.assignment(admin, group)
    message = center.refused("DeleteAccountAssignment", "ResourceNotFoundException", **request)
    assert group in message
    assert center.sso("ListAccountAssignmentDeletionStatus")["AccountAssignmentsDeletionStatus"] == []


def test_the_same_assignment_is_worked_on_once_at_a_time(center, admin, group):
    request = center.assignment(admin, group)
    center.sso("CreateAccountAssignment", **request)
    for operation in ("CreateAccountAssignment", "DeleteAccountAssignment"):
        message = center.refused(operation, "ConflictException", **request)
        assert message == "There is a conflicting operation in process."
    center.wait()
    center.sso("DeleteAccountAssignment", **request)
    center.refused("DeleteAccountAssignment", "ConflictException", **request)


def test_fifteen_requests_are_outstanding_at_most(center, admin):
    groups = [center.add_group(f"Group{number}") for number in range(16)]
    center.assign(admin, groups[15])
    for group in groups[:14]:
        center.sso("CreateAccountAssignment", **center.assignment(admin, group))
    center.sso("DeleteAccountAssignment", **center.assignment(admin, groups[15]))
    last = center.assignment(admin, groups[14])
    message = center.refused("CreateAccountAssignment", "ThrottlingException", **last)
    assert message == "There are too many requests processing. Please try again later."
    center.wait()
    center.sso("CreateAccountAssignment", **last)


def test_statuses_are_listed_in_pages_and_by_status(center, admin, group):
    center.assign(admin, group)
    for number in range(3):
        center.sso("CreateAccountAssignment", **center.assignment(admin, center.add_group(f"Group{number}")))
    operation, member = "ListAccountAssignmentCreationStatus", "AccountAssignmentsCreationStatus"
    pages = center.pages(operation, member, MaxResults=3)
    assert [len(page) for page in pages] == [3, 1]
    assert len({status["RequestId"] for page in pages for status in page}) == 4
    by_status = {
        status: len(center.sso(operation, Filter={"Status": status})[member])
        for status in ("SUCCEEDED", "IN_PROGRESS", "FAILED")
    }
    assert by_status == {"SUCCEEDED": 1, "IN_PROGRESS": 3, "FAILED": 0}


def test_a_request_is_described_by_its_own_operation_alone(center, admin, group):
    request_id = center.assign(admin, group)["RequestId"]
    center.refused(
        "DescribeAccountAssignmentDeletionStatus",
        "ResourceNotFoundException",
        AccountAssignmentDeletionRequestId=request_id,
    )
    center.refused(
        "DescribePermissionSetProvisioningStatus",
        "ResourceNotFoundException",
        ProvisionPermissionSetRequestId=request_id,
    )


def test_a_hundred_groups_have_a_permission_set_in_an_account_and_no_more(center, admin, group):
    with center.store.transaction() as connection:
        connection.executemany(
            "INSERT INTO account_assignment VALUES (?, ?, ?, 'GROUP', ?, 0.0)",
            [(center.instance_arn, admin, DEVELOPMENT, f"group{number}") for number in range(99)],
        )
    one_more = center.add_group("OneMore")
    center.sso("CreateAccountAssignment", **center.assignment(admin, one_more, PRODUCTION))
    center.sso("CreateAccountAssignment", **center.assignment(admin, group))
    message = center.refused(
        "CreateAccountAssignment", "ServiceQuotaExceededException", **center.assignment(admin, one_more)
    )
    assert "100" in message
    center.wait()
    assert center.assign(admin, group)["Status"] == "SUCCEEDED"
    user = {**center.assignment(admin, center.add_user("ana")), "PrincipalType": "USER"}
    center.sso("CreateAccountAssignment", **user)


def test_five_hundred_permission_sets_are_in_an_account_and_no_more(center, admin, group):
    with center.store.transaction() as connection:
        for number in range(499):
            connection.execute(
                "INSERT INTO permission_set (permission_set_arn, instance_arn, name, session_duration,"
                " created_at) VALUES (?, ?, ?, 'PT1H', 0.0)",
                (f"arn{number}", center.instance_arn, f"Set{number}"),
            )
            connection.execute(
                "INSERT INTO provisioned_permission_set VALUES (?, ?, 1, ?, 0.0)",
                (f"arn{number}", DEVELOPMENT, f"role{number}"),
            )
    one_more = center.add_permission_set("OneMore")
    center.sso("CreateAccountAssignment", **center.assignment(admin, group))
    message = center.refused(
        "CreateAccountAssignment", "ServiceQuotaExceededException", **center.assignment(one_more, group)
    )
    assert "500" in message


def test_a_principals_accounts_are_listed_with_those_of_its_groups(center, admin, group):
    user = center.add_user("ana")
    center.assign(admin, group, PRODUCTION)
    center.assign(admin, center.add_group("Others"), PRODUCTION)
    direct = {**center.assignment(admin, user), "PrincipalType": "USER"}
    center.sso("CreateAccountAssignment", **direct)
    center.wait()
    assert for_principal(center, "USER", user) == [(DEVELOPMENT, "USER", user)]
    center.add_member(group, user)
    assert for_principal(center, "USER", user) == [(DEVELOPMENT, "USER", user), (PRODUCTION, "GROUP", group)]
    assert for_principal(center, "GROUP", group) == [(PRODUCTION, "GROUP", group)]
    assert for_principal(center, "USER", user, Filter={"AccountId": PRODUCTION}) == [
        (PRODUCTION, "GROUP", group)
    ]
    pages = center.pages(
        "ListAccountAssignmentsForPrincipal",
        "AccountAssignments",
        PrincipalType="USER",
        PrincipalId=user,
        MaxResults=1,
    )
    assert [len(page) for page in pages] == [1, 1]


def test_only_the_management_account_asks_by_principal(center, group):
    center.double.delegates.add(SECURITY)
    request = {"PrincipalType": "GROUP", "PrincipalId": group}
    message = center.refused(
        "ListAccountAssignmentsForPrincipal", "AccessDeniedException", caller_account=SECURITY, **request
    )
    assert MANAGEMENT in message
    assert center.sso("ListAccountAssignmentsForPrincipal", **request) == {"AccountAssignments": []}


def test_an_unknown_principal_or_account_is_not_found(center, admin):
    center.refused(
        "ListAccountAssignmentsForPrincipal",
        "ResourceNotFoundException",
        PrincipalType="USER",
        PrincipalId=UNKNOWN_PRINCIPAL,
    )
    center.refused(
        "ListAccountAssignments",
        "ResourceNotFoundException",
        PermissionSetArn=admin,
        AccountId="999988887777",
    )


def test_assignments_of_a_deleted_group_stay_listed_until_they_are_deleted(center, admin, group):
    center.assign(admin, group)
    center.call("identitystore", "DeleteGroup", IdentityStoreId=center.identity_store_id, GroupId=group)
    assert [row["PrincipalId"] for row in listed(center, admin)] == [group]
    assert for_principal(center, "GROUP", group) == [(DEVELOPMENT, "GROUP", group)]
    status = center.unassign(admin, group)
    assert (status["Status"], status["FailureReason"]) == (
        "FAILED",
        f"Received a 404 status error: the GROUP assignee {group} was not found in directory "
        f"{center.identity_store_id}",
    )
    assert listed(center, admin) == []
    center.sso("DeletePermissionSet", PermissionSetArn=admin)


def test_assignments_in_a_closed_account_can_be_deleted(center, admin, group):
    center.assign(admin, group)
    center.double.accounts.remove(DEVELOPMENT)
    assert len(listed(center, admin)) == 1
    assert center.unassign(admin, group)["Status"] == "SUCCEEDED"
    center.sso("DeletePermissionSet", PermissionSetArn=admin)


def test_a_delegated_administrator_assigns_in_member_accounts_alone(center, admin, group):
    center.double.delegates.add(SECURITY)
    center.sso("CreateAccountAssignment", caller_account=SECURITY, **center.assignment(admin, group))
    message = center.refused(
        "CreateAccountAssignment",
        "AccessDeniedException",
        caller_account=SECURITY,
        **center.assignment(admin, group, MANAGEMENT),
    )
    assert MANAGEMENT in message
