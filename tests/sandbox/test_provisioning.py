"""What assignments and provisioning do in accounts: roles that follow permission sets, and failures."""

from __future__ import annotations

import json

import pytest
from handler_harness import DEVELOPMENT, MANAGEMENT, PRODUCTION, SECURITY, Harness

from idc_sandbox.errors import ServiceError

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
LATEST = "LATEST_PERMISSION_SET_PROVISIONED"
NOT_LATEST = "LATEST_PERMISSION_SET_NOT_PROVISIONED"
INLINE = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
)


@pytest.fixture
def center(tmp_path) -> Harness:
    return Harness(tmp_path / "sandbox.db")


@pytest.fixture
def admin(center) -> str:
    return center.add_permission_set("Admin", Description="All")


@pytest.fixture
def group(center) -> str:
    return center.add_group("Admins")


def attach(center: Harness, admin: str, policy_arn: str = READ_ONLY) -> None:
    center.sso("AttachManagedPolicyToPermissionSet", PermissionSetArn=admin, ManagedPolicyArn=policy_arn)


def refer(center: Harness, admin: str, **reference: str) -> None:
    center.sso(
        "AttachCustomerManagedPolicyReferenceToPermissionSet",
        PermissionSetArn=admin,
        CustomerManagedPolicyReference=reference,
    )


def provision(center: Harness, admin: str, account: str | None = None) -> dict:
    """Provision one account, or all that have the permission set, and return the final status."""
    target = {"TargetType": "AWS_ACCOUNT", "TargetId": account} if account else {}
    started = center.sso(
        "ProvisionPermissionSet",
        **{"PermissionSetArn": admin, "TargetType": "ALL_PROVISIONED_ACCOUNTS"} | target,
    )["PermissionSetProvisioningStatus"]
    assert started["Status"] == "IN_PROGRESS"
    center.wait()
    answer = center.sso(
        "DescribePermissionSetProvisioningStatus", ProvisionPermissionSetRequestId=started["RequestId"]
    )
    return answer["PermissionSetProvisioningStatus"]


def accounts(center: Harness, admin: str, status: str | None = None) -> list[str]:
    request = {"ProvisioningStatus": status} if status else {}
    return center.sso("ListAccountsForProvisionedPermissionSet", PermissionSetArn=admin, **request)[
        "AccountIds"
    ]


def test_the_role_is_made_as_the_permission_set_says(center, admin, group):
    attach(center, admin)
    refer(center, admin, Name="Deploy", Path="/team/")
    center.double.policies.add((DEVELOPMENT, "/team/", "Deploy"))
    center.sso("PutInlinePolicyToPermissionSet", PermissionSetArn=admin, InlinePolicy=INLINE)
    boundary = {"ManagedPolicyArn": READ_ONLY}
    center.sso("PutPermissionsBoundaryToPermissionSet", PermissionSetArn=admin, PermissionsBoundary=boundary)
    assert center.assign(admin, group)["Status"] == "SUCCEEDED"
    role = center.double.role(DEVELOPMENT)
    saml_provider_arn = role.pop("saml_provider_arn")
    assert saml_provider_arn.startswith(f"arn:aws:iam::{DEVELOPMENT}:saml-provider/AWSSSO_")
    assert role == {
        "role_name": role["role_name"],
        "path": "/aws-reserved/sso.amazonaws.com/",
        "description": "All",
        "max_session_duration_s": 43_200,
        "managed_policy_arns": [READ_ONLY],
        "customer_managed": [("/team/", "Deploy")],
        "inline_policy": INLINE,
        "permissions_boundary_arn": READ_ONLY,
    }


def test_the_longest_name_makes_a_role_name_that_iam_still_accepts(center, group):
    center.assign(center.add_permission_set("x" * 32), group)
    assert len(center.double.role(DEVELOPMENT)["role_name"]) == 64


def test_roles_have_the_home_region_in_their_path_outside_of_us_east_1(tmp_path):
    center = Harness(tmp_path / "sandbox.db", region="eu-central-1")
    center.assign(center.add_permission_set("Admin"), center.add_group("Admins"))
    assert center.double.role(DEVELOPMENT)["path"] == "/aws-reserved/sso.amazonaws.com/eu-central-1/"


def test_a_changed_permission_set_reaches_accounts_when_it_is_provisioned(center, admin, group):
    center.assign(admin, group, DEVELOPMENT)
    center.assign(admin, group, PRODUCTION)
    assert accounts(center, admin, LATEST) == [DEVELOPMENT, PRODUCTION]
    attach(center, admin)
    assert accounts(center, admin, NOT_LATEST) == [DEVELOPMENT, PRODUCTION]
    assert center.double.role(DEVELOPMENT)["managed_policy_arns"] == []
    status = provision(center, admin, DEVELOPMENT)
    assert (status["Status"], status["AccountId"]) == ("SUCCEEDED", DEVELOPMENT)
    assert accounts(center, admin, LATEST) == [DEVELOPMENT]
    assert accounts(center, admin, NOT_LATEST) == [PRODUCTION]
    assert accounts(center, admin) == [DEVELOPMENT, PRODUCTION]
    assert center.double.role(DEVELOPMENT)["managed_policy_arns"] == [READ_ONLY]
    assert center.double.role(PRODUCTION)["managed_policy_arns"] == []


def test_all_accounts_are_provisioned_at_once_and_keep_their_roles(center, admin, group):
    center.assign(admin, group, DEVELOPMENT)
    center.assign(admin, group, PRODUCTION)
    before = list(center.double.roles)
    attach(center, admin)
    status = provision(center, admin)
    assert status["Status"] == "SUCCEEDED"
    assert "AccountId" not in status
    assert accounts(center, admin, NOT_LATEST) == []
    assert list(center.double.roles) == before
    assert all(role["managed_policy_arns"] == [READ_ONLY] for role in center.double.roles.values())


def test_another_assignment_in_the_account_brings_its_role_up_to_date(center, admin, group):
    center.assign(admin, group)
    attach(center, admin)
    center.assign(admin, center.add_group("Others"))
    assert center.double.role(DEVELOPMENT)["managed_policy_arns"] == [READ_ONLY]
    assert accounts(center, admin, NOT_LATEST) == []


def test_provisioning_mends_a_role_that_was_changed_by_hand(center, admin, group):
    center.assign(admin, group)
    center.double.role(DEVELOPMENT)["managed_policy_arns"] = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    provision(center, admin, DEVELOPMENT)
    assert center.double.role(DEVELOPMENT)["managed_policy_arns"] == []


def test_permission_sets_of_an_account_are_listed_by_status(center, admin, group):
    other = center.add_permission_set("Other")
    center.assign(admin, group)
    center.assign(other, group)
    attach(center, admin)

    def listed(account: str = DEVELOPMENT, **request) -> list[str]:
        answer = center.sso("ListPermissionSetsProvisionedToAccount", AccountId=account, **request)
        return answer["PermissionSets"]

    assert set(listed()) == {admin, other}
    assert listed(ProvisioningStatus=LATEST) == [other]
    assert listed(ProvisioningStatus=NOT_LATEST) == [admin]
    assert listed(PRODUCTION) == []
    center.refused(
        "ListPermissionSetsProvisionedToAccount", "ResourceNotFoundException", AccountId="999988887777"
    )


@pytest.mark.parametrize(
    "target",
    [{"TargetType": "AWS_ACCOUNT"}, {"TargetType": "ALL_PROVISIONED_ACCOUNTS", "TargetId": DEVELOPMENT}],
)
def test_a_target_is_one_account_or_all(center, admin, target):
    message = center.refused(
        "ProvisionPermissionSet", "ValidationException", PermissionSetArn=admin, **target
    )
    assert target["TargetType"] in message


def test_targets_that_cannot_be_provisioned(center, admin):
    center.double.delegates.add(SECURITY)
    request = {"PermissionSetArn": admin, "TargetType": "AWS_ACCOUNT"}
    center.refused("ProvisionPermissionSet", "ResourceNotFoundException", TargetId="999988887777", **request)
    center.refused(
        "ProvisionPermissionSet",
        "AccessDeniedException",
        caller_account=SECURITY,
        TargetId=MANAGEMENT,
        **request,
    )


def test_three_provisionings_run_at_a_time(center, admin):
    request = {"PermissionSetArn": admin, "TargetType": "ALL_PROVISIONED_ACCOUNTS"}
    for _ in range(3):
        center.sso("ProvisionPermissionSet", **request)
    center.refused("ProvisionPermissionSet", "ThrottlingException", **request)
    center.wait()
    center.sso("ProvisionPermissionSet", **request)
    operation, member = "ListPermissionSetProvisioningStatus", "PermissionSetsProvisioningStatus"
    assert len(center.sso(operation)[member]) == 4
    assert len(center.sso(operation, Filter={"Status": "IN_PROGRESS"})[member]) == 1


@pytest.mark.parametrize("as_boundary", [False, True])
def test_a_customer_managed_policy_must_exist_in_the_account(center, admin, group, as_boundary):
    if as_boundary:
        center.sso(
            "PutPermissionsBoundaryToPermissionSet",
            PermissionSetArn=admin,
            PermissionsBoundary={"CustomerManagedPolicyReference": {"Name": "Deploy"}},
        )
    else:
        refer(center, admin, Name="Deploy")
    center.double.policies.add((DEVELOPMENT, "/team/", "Deploy"))
    status = center.assign(admin, group)
    assert status["Status"] == "FAILED"
    assert f"Not supported policy arn:aws:iam::{DEVELOPMENT}:policy/Deploy" in status["FailureReason"]
    assert center.double.roles == {}
    assert accounts(center, admin) == []
    center.double.policies.add((DEVELOPMENT, "/", "Deploy"))
    assert center.assign(admin, group)["Status"] == "SUCCEEDED"
    boundary_arn = center.double.role(DEVELOPMENT)["permissions_boundary_arn"]
    assert boundary_arn == (f"arn:aws:iam::{DEVELOPMENT}:policy/Deploy" if as_boundary else None)


def test_one_account_that_fails_does_not_hold_up_the_others(center, admin, group):
    center.assign(admin, group, DEVELOPMENT)
    center.assign(admin, group, PRODUCTION)
    refer(center, admin, Name="Deploy")
    center.double.policies.add((PRODUCTION, "/", "Deploy"))
    status = provision(center, admin)
    assert status["Status"] == "FAILED"
    assert DEVELOPMENT in status["FailureReason"]
    assert PRODUCTION not in status["FailureReason"]
    assert accounts(center, admin, LATEST) == [PRODUCTION]
    assert accounts(center, admin, NOT_LATEST) == [DEVELOPMENT]


def test_the_next_assignment_fails_when_a_switch_says_so(center, admin, group):
    center.set_switches(fail_next_assignments=["The reason."])
    status = center.assign(admin, group)
    assert (status["Status"], status["FailureReason"]) == ("FAILED", "The reason.")
    assert center.double.roles == {}
    assert center.assign(admin, group)["Status"] == "SUCCEEDED"


@pytest.mark.parametrize("gone", ["group", "account"])
def test_what_goes_while_it_is_being_assigned_fails_the_assignment(center, admin, group, gone):
    started = center.sso("CreateAccountAssignment", **center.assignment(admin, group))
    if gone == "group":
        center.call("identitystore", "DeleteGroup", IdentityStoreId=center.identity_store_id, GroupId=group)
    else:
        center.double.accounts.remove(DEVELOPMENT)
    center.wait()
    status = center.creation_status(started["AccountAssignmentCreationStatus"]["RequestId"])
    assert status["Status"] == "FAILED"
    assert (group if gone == "group" else DEVELOPMENT) in status["FailureReason"]
    assert center.double.roles == {}


@pytest.mark.parametrize("target", [DEVELOPMENT, None])
def test_provisioning_while_the_last_assignment_goes_finds_none(center, admin, group, target):
    center.assign(admin, group, DEVELOPMENT)
    center.assign(admin, group, PRODUCTION)
    center.sso("DeleteAccountAssignment", **center.assignment(admin, group, DEVELOPMENT))
    status = provision(center, admin, target)
    assert status["Status"] == "FAILED"
    assert status["FailureReason"].endswith("Received a 404 status error: Assignment not found.")
    assert accounts(center, admin) == [PRODUCTION]
    assert provision(center, admin, PRODUCTION)["Status"] == "SUCCEEDED"


def test_a_defect_fails_its_own_request_alone_and_is_logged(center, admin, group, caplog):
    center.double.defect = KeyError("broken")
    started = center.sso("CreateAccountAssignment", **center.assignment(admin, group))
    center.wait()
    status = center.creation_status(started["AccountAssignmentCreationStatus"]["RequestId"])
    assert status["FailureReason"] == "An unexpected internal service exception was encountered"
    assert "KeyError" in caplog.text
    assert accounts(center, admin) == []
    center.double.defect = None
    assert center.assign(admin, group)["Status"] == "SUCCEEDED"


def test_a_defect_halfway_leaves_no_account_marked_as_up_to_date(center, admin, group):
    center.assign(admin, group, DEVELOPMENT)
    center.assign(admin, group, PRODUCTION)
    attach(center, admin)
    center.double.defect, center.double.defective_accounts = KeyError("broken"), {PRODUCTION}
    assert provision(center, admin)["Status"] == "FAILED"
    assert accounts(center, admin, LATEST) == []
    center.double.defect = None
    assert provision(center, admin)["Status"] == "SUCCEEDED"
    assert accounts(center, admin, LATEST) == [DEVELOPMENT, PRODUCTION]


def test_a_refusal_of_the_accounts_iam_is_the_reason_of_the_failure(center, admin, group):
    center.double.defect = ServiceError("LimitExceeded", "Too many roles.", status=409)
    status = center.assign(admin, group)
    assert status["FailureReason"] == "Received a 409 status error: Too many roles."


def test_a_restart_finishes_what_was_in_progress(center, admin, group):
    started = center.sso("CreateAccountAssignment", **center.assignment(admin, group))
    center.store.close()
    center.open()
    request_id = started["AccountAssignmentCreationStatus"]["RequestId"]
    assert center.creation_status(request_id)["Status"] == "IN_PROGRESS"
    center.wait()
    assert center.creation_status(request_id)["Status"] == "SUCCEEDED"


def test_a_clock_that_is_put_back_leaves_no_request_hanging(center, admin, group):
    center.wait()
    started = center.sso("CreateAccountAssignment", **center.assignment(admin, group))
    center.execute("DELETE FROM switch WHERE name = 'clock_offset_s'")
    status = center.creation_status(started["AccountAssignmentCreationStatus"]["RequestId"])
    assert status["Status"] == "SUCCEEDED"


def test_requests_are_settled_in_the_order_in_which_they_came(center, admin, group):
    center.set_switches(fail_next_assignments=["first", "second"])
    for name in ("One", "Two", "Three"):
        center.sso("CreateAccountAssignment", **center.assignment(admin, center.add_group(name)))
    center.wait()
    statuses = center.sso("ListAccountAssignmentCreationStatus")["AccountAssignmentsCreationStatus"]
    reasons = [center.creation_status(status["RequestId"]).get("FailureReason") for status in statuses]
    assert reasons == ["first", "second", None]
