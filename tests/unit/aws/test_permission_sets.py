import json

import pytest
from resource_tools import apply, create, delete, update
from stub_transport import ACCOUNT_ID, INSTANCE_ARN, MEMBER_ID, Refusal

from idc_aws.access import find_permission_set, list_permission_sets
from idc_aws.errors import KitError, NotFoundError, WaitTimeoutError, WriteFailedError
from idc_aws.permission_sets import PermissionSets, change_policies

ARN = "arn:aws:sso:::permissionSet/ssoins-1111222233334444/ps-1111222233334444"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
BILLING = "arn:aws:iam::aws:policy/job-function/Billing"
REQUEST_ID = "11111111-2222-4333-8444-555555555555"
NOT_FOUND = Refusal("ResourceNotFoundException")
BEFORE = {
    "description": "for auditors",
    "relay_state": "https://console.aws.amazon.com/ec2/",
    "session_duration": "PT1H",
    "managed_policies": [READ_ONLY],
    "customer_managed_policies": [{"name": "ours", "path": "/"}],
    "inline_policy": POLICY,
    "permissions_boundary": None,
    "tags": {"team": "audit"},
    "accounts_to_provision": [],
}


@pytest.fixture
def permission_sets(connection, transport):
    described = {
        "Name": "Auditors",
        "PermissionSetArn": ARN,
        "Description": "for auditors",
        "SessionDuration": "PT60M",
        "RelayState": "https://console.aws.amazon.com/ec2/",
    }
    customer_managed = {"CustomerManagedPolicyReferences": [{"Name": "ours", "Path": "/"}]}
    transport.on("ListPermissionSets", {"PermissionSets": [ARN]})
    transport.on("DescribePermissionSet", {"PermissionSet": described})
    transport.on(
        "ListManagedPoliciesInPermissionSet", {"AttachedManagedPolicies": [{"Name": "R", "Arn": READ_ONLY}]}
    )
    transport.on("ListCustomerManagedPolicyReferencesInPermissionSet", customer_managed)
    transport.on("GetInlinePolicyForPermissionSet", {"InlinePolicy": json.dumps(POLICY)})
    transport.on("GetPermissionsBoundaryForPermissionSet", NOT_FOUND)
    transport.on("ListTagsForResource", {"Tags": [{"Key": "team", "Value": "audit"}]})
    transport.on("ListAccountsForProvisionedPermissionSet", {"AccountIds": []})
    transport.on(
        "ListAccounts", {"Accounts": [{"Id": ACCOUNT_ID, "Name": "A"}, {"Id": MEMBER_ID, "Name": "M"}]}
    )
    for operation in (
        "UpdatePermissionSet",
        "DeletePermissionSet",
        "TagResource",
        "UntagResource",
        "AttachManagedPolicyToPermissionSet",
        "DetachManagedPolicyFromPermissionSet",
        "PutInlinePolicyToPermissionSet",
        "DeleteInlinePolicyFromPermissionSet",
        "PutPermissionsBoundaryToPermissionSet",
        "DetachCustomerManagedPolicyReferenceFromPermissionSet",
    ):
        transport.on(operation, {})
    return PermissionSets(connection)


def provisioned(transport, *, status=("SUCCEEDED", {}), outdated=()):
    def accounts(asked):
        old = asked.get("ProvisioningStatus") == "LATEST_PERMISSION_SET_NOT_PROVISIONED"
        return {"AccountIds": list(outdated) if old else [MEMBER_ID]}

    ended = {"Status": status[0], "RequestId": REQUEST_ID, **status[1]}
    transport.on("ListAccountsForProvisionedPermissionSet", accounts)
    transport.on(
        "ProvisionPermissionSet",
        {"PermissionSetProvisioningStatus": {"Status": "IN_PROGRESS", "RequestId": REQUEST_ID}},
    )
    transport.on(
        "DescribePermissionSetProvisioningStatus",
        {"PermissionSetProvisioningStatus": {"Status": "IN_PROGRESS", "RequestId": REQUEST_ID}},
        {"PermissionSetProvisioningStatus": ended},
    )


def test_a_state_holds_everything_in_one_spelling(permission_sets):
    assert permission_sets.read(["Auditors", "Nobody"]) == {"Auditors": BEFORE}


def test_a_boundary_is_read(permission_sets, transport):
    transport.on(
        "GetPermissionsBoundaryForPermissionSet", {"PermissionsBoundary": {"ManagedPolicyArn": READ_ONLY}}
    )
    assert permission_sets.read(["Auditors"])["Auditors"]["permissions_boundary"] == {
        "managed_policy": READ_ONLY
    }


def test_names_are_read_once(permission_sets, connection, transport):
    assert list_permission_sets(connection) == {"Auditors": ARN}
    list_permission_sets(connection)
    assert len(transport.made("ListPermissionSets")) == 2
    assert len(transport.made("DescribePermissionSet")) == 1


def test_an_unknown_name_offers_the_nearest(permission_sets, connection):
    with pytest.raises(NotFoundError, match="Did you mean 'Auditors'"):
        find_permission_set(connection, "Auditor")


def test_without_an_instance_nothing_exists_yet(permission_sets, transport):
    transport.on("ListInstances", {"Instances": []})
    assert permission_sets.read(["Auditors"]) == {}


def test_create_sends_what_is_wanted_and_keeps_the_request_ids(permission_sets, transport):
    transport.on("CreatePermissionSet", {"PermissionSet": {"PermissionSetArn": ARN}})
    state = {
        **BEFORE,
        "customer_managed_policies": [],
        "session_duration": "PT90M",
        "tags": {"team": "audit"},
    }
    result = apply(permission_sets, create(permission_sets, "Auditors", state))["Auditors"]
    assert result.identifier == ARN
    assert len(set(result.request_ids)) == 3
    assert transport.made("CreatePermissionSet") == [
        {
            "InstanceArn": INSTANCE_ARN,
            "Name": "Auditors",
            "Description": "for auditors",
            "SessionDuration": "PT1H30M",
            "RelayState": "https://console.aws.amazon.com/ec2/",
            "Tags": [{"Key": "team", "Value": "audit"}],
        }
    ]
    assert transport.writes()[1:] == ["AttachManagedPolicyToPermissionSet", "PutInlinePolicyToPermissionSet"]
    assert json.loads(transport.made("PutInlinePolicyToPermissionSet")[0]["InlinePolicy"]) == POLICY


def test_a_policy_that_cannot_be_attached_says_that_the_set_exists(permission_sets, transport):
    transport.on("CreatePermissionSet", {"PermissionSet": {"PermissionSetArn": ARN}})
    transport.on("AttachManagedPolicyToPermissionSet", Refusal("ResourceNotFoundException", "no such policy"))
    with pytest.raises(WriteFailedError, match=r"was created, but(.|\n)*no such policy(.|\n)*completed"):
        apply(permission_sets, create(permission_sets, "Auditors", BEFORE))


def test_a_name_that_somebody_took_meanwhile_is_not_waited_for(permission_sets, transport, clock):
    transport.on(
        "CreatePermissionSet", Refusal("ConflictException", "PermissionSet with this name already exists.")
    )
    with pytest.raises(WriteFailedError, match="already exists"):
        apply(permission_sets, create(permission_sets, "Auditors", BEFORE))
    assert clock.slept == []


def test_a_conflict_from_spreading_is_retried(permission_sets, transport, clock):
    transport.on("CreatePermissionSet", {"PermissionSet": {"PermissionSetArn": ARN}})
    transport.on(
        "AttachManagedPolicyToPermissionSet", Refusal("ConflictException"), Refusal("ConflictException"), {}
    )
    apply(permission_sets, create(permission_sets, "Auditors", BEFORE | {"customer_managed_policies": []}))
    assert clock.slept == pytest.approx([0.2, 0.4])


def test_update_calls_only_what_differs(permission_sets, transport):
    apply(
        permission_sets,
        update(permission_sets, "Auditors", BEFORE, {**BEFORE, "managed_policies": [BILLING]}),
    )
    assert transport.writes() == [
        "DetachManagedPolicyFromPermissionSet",
        "AttachManagedPolicyToPermissionSet",
    ]
    assert transport.made("AttachManagedPolicyToPermissionSet")[0]["ManagedPolicyArn"] == BILLING


OURS, THEIRS = {"name": "ours", "path": "/"}, {"name": "theirs", "path": "/of/them/"}
OURS_SENT = {"CustomerManagedPolicyReference": {"Name": "ours", "Path": "/"}}
THEIRS_SENT = {"CustomerManagedPolicyReference": {"Name": "theirs", "Path": "/of/them/"}}


class Sent(list):
    """Stands in for a writer: what is sent, without the service and the permission set."""

    def send(self, service_name, method_name, **request):
        assert (service_name, request.pop("PermissionSetArn")) == ("sso-admin", ARN)
        self.append((method_name, request))


@pytest.mark.parametrize(
    ("field", "before", "after", "sent"),
    [
        (
            "customer_managed_policies",
            [OURS],
            [THEIRS],
            [
                ("detach_customer_managed_policy_reference_from_permission_set", OURS_SENT),
                ("attach_customer_managed_policy_reference_to_permission_set", THEIRS_SENT),
            ],
        ),
        ("customer_managed_policies", [OURS, THEIRS], [THEIRS, OURS], []),
        ("inline_policy", None, None, []),
        ("inline_policy", POLICY, POLICY, []),
        ("inline_policy", POLICY, "{}", [("put_inline_policy_to_permission_set", {"InlinePolicy": "{}"})]),
        ("inline_policy", POLICY, None, [("delete_inline_policy_from_permission_set", {})]),
        ("permissions_boundary", None, None, []),
        ("permissions_boundary", {"managed_policy": BILLING}, {"managed_policy": BILLING}, []),
        (
            "permissions_boundary",
            {"managed_policy": BILLING},
            {"managed_policy": READ_ONLY},
            [
                (
                    "put_permissions_boundary_to_permission_set",
                    {"PermissionsBoundary": {"ManagedPolicyArn": READ_ONLY}},
                )
            ],
        ),
        (
            "permissions_boundary",
            None,
            {"customer_managed_policy": THEIRS},
            [("put_permissions_boundary_to_permission_set", {"PermissionsBoundary": THEIRS_SENT})],
        ),
        (
            "permissions_boundary",
            {"managed_policy": BILLING},
            None,
            [("delete_permissions_boundary_from_permission_set", {})],
        ),
    ],
)
def test_of_policies_only_what_differs_is_sent(field, before, after, sent):
    made = Sent()
    change_policies(made, ARN, {field: before}, {field: after})
    assert made == sent


def test_an_update_names_its_set_and_takes_all_tags_away(permission_sets, transport):
    change = update(permission_sets, "Auditors", BEFORE, {**BEFORE, "tags": None})
    assert apply(permission_sets, change)["Auditors"].identifier == ARN
    assert transport.made("UntagResource")[0]["TagKeys"] == ["team"]


def test_an_update_sets_what_there_was_not_even_by_name(permission_sets, transport):
    before = {name: value for name, value in BEFORE.items() if name != "permissions_boundary"}
    transport.on("PutPermissionsBoundaryToPermissionSet", {})
    wanted = {**before, "permissions_boundary": {"managed_policy": BILLING}}
    apply(permission_sets, update(permission_sets, "Auditors", before, wanted))
    assert transport.writes() == ["PutPermissionsBoundaryToPermissionSet"]


def test_only_a_description_that_goes_is_said_to_stay(permission_sets):
    def said(change):
        return permission_sets.irreversible(change)

    without, described = {**BEFORE, "description": None}, BEFORE
    assert said(update(permission_sets, "Auditors", described, without)) == {
        "description": "AWS keeps the description of a permission set once there is one"
    }
    assert said(update(permission_sets, "Auditors", without, described)) == {}
    assert said(delete(permission_sets, "Auditors", ARN)) == {}


def test_update_leaves_what_somebody_else_changed_meanwhile(permission_sets, transport):
    transport.on(
        "ListManagedPoliciesInPermissionSet", {"AttachedManagedPolicies": [{"Name": "B", "Arn": BILLING}]}
    )
    apply(permission_sets, update(permission_sets, "Auditors", BEFORE, {**BEFORE, "tags": {"team": "other"}}))
    assert transport.writes() == ["TagResource"]


def test_update_of_one_text_sends_all_three(permission_sets, transport):
    apply(permission_sets, update(permission_sets, "Auditors", BEFORE, {**BEFORE, "description": "new"}))
    assert transport.made("UpdatePermissionSet") == [
        {
            "InstanceArn": INSTANCE_ARN,
            "PermissionSetArn": ARN,
            "Description": "new",
            "SessionDuration": "PT1H",
            "RelayState": "https://console.aws.amazon.com/ec2/",
        }
    ]


def test_a_text_that_aws_keeps_is_told(permission_sets):
    with pytest.raises(WriteFailedError, match="AWS keeps the relay_state"):
        apply(permission_sets, update(permission_sets, "Auditors", BEFORE, {**BEFORE, "relay_state": None}))


def test_the_same_duration_in_another_spelling_is_no_change(permission_sets, transport):
    apply(permission_sets, update(permission_sets, "Auditors", BEFORE, {**BEFORE, "inline_policy": None}))
    assert transport.writes() == ["DeleteInlinePolicyFromPermissionSet"]


def test_a_change_is_provisioned_where_the_set_is_in_use(permission_sets, transport):
    provisioned(transport)
    apply(
        permission_sets, update(permission_sets, "Auditors", BEFORE, {**BEFORE, "session_duration": "PT2H"})
    )
    assert transport.made("ProvisionPermissionSet") == [
        {"InstanceArn": INSTANCE_ARN, "PermissionSetArn": ARN, "TargetType": "ALL_PROVISIONED_ACCOUNTS"}
    ]
    assert len(transport.made("DescribePermissionSetProvisioningStatus")) == 2


def test_a_description_is_not_provisioned(permission_sets, transport):
    provisioned(transport)
    apply(permission_sets, update(permission_sets, "Auditors", BEFORE, {**BEFORE, "description": "new"}))
    assert transport.made("ProvisionPermissionSet") == []


def test_an_account_that_was_left_behind_is_provisioned(permission_sets, transport):
    provisioned(transport)
    before = {**BEFORE, "accounts_to_provision": [MEMBER_ID]}
    apply(permission_sets, update(permission_sets, "Auditors", before, BEFORE))
    assert transport.writes() == ["ProvisionPermissionSet"]


def test_provisioning_that_fails_names_account_and_reason(permission_sets, transport):
    provisioned(
        transport, status=("FAILED", {"FailureReason": "policy 'ours' is missing", "AccountId": MEMBER_ID})
    )
    with pytest.raises(WriteFailedError, match=f"'{MEMBER_ID}': policy 'ours' is missing"):
        apply(
            permission_sets,
            update(permission_sets, "Auditors", BEFORE, {**BEFORE, "session_duration": "PT2H"}),
        )


def test_accounts_that_stay_behind_are_named(permission_sets, transport):
    provisioned(transport, outdated=[MEMBER_ID])
    with pytest.raises(WaitTimeoutError, match=MEMBER_ID):
        apply(
            permission_sets,
            update(permission_sets, "Auditors", BEFORE, {**BEFORE, "session_duration": "PT2H"}),
        )


def test_a_set_in_use_is_not_deleted(permission_sets, transport):
    provisioned(transport)
    assignment = {
        "AccountId": MEMBER_ID,
        "PermissionSetArn": ARN,
        "PrincipalType": "GROUP",
        "PrincipalId": "g",
    }
    transport.on("ListAccountAssignments", {"AccountAssignments": [assignment]})
    transport.on("DescribeGroup", {"GroupId": "g", "DisplayName": "Theirs"})
    with pytest.raises(WriteFailedError, match=f"used by others: .*group Theirs · .* · {MEMBER_ID}"):
        apply(permission_sets, delete(permission_sets, "Auditors", ARN))
    assert transport.writes() == []


def test_deletion_waits_until_the_last_assignment_has_settled(permission_sets, transport, clock):
    settling = Refusal("ConflictException", "already in use: PermissionSet has ApplicationProfile")
    transport.on("DeletePermissionSet", settling, settling, {})
    apply(permission_sets, delete(permission_sets, "Auditors", ARN))
    assert clock.slept == pytest.approx([0.2, 0.4])
    assert transport.made("DeletePermissionSet")[0] == {"InstanceArn": INSTANCE_ARN, "PermissionSetArn": ARN}


def test_deletion_that_does_not_settle_says_what_to_do(permission_sets, transport):
    transport.on(
        "DeletePermissionSet", Refusal("ConflictException", "has ApplicationProfile associated with it")
    )
    with pytest.raises(WriteFailedError, match="still holds the permission set 'Auditors' for in use"):
        apply(permission_sets, delete(permission_sets, "Auditors", ARN))


def test_what_was_done_before_a_failure_is_reported(permission_sets, transport):
    transport.on("UpdatePermissionSet", {}, Refusal("ValidationException"))
    changes = [
        update(permission_sets, "Auditors", BEFORE, {**BEFORE, "description": text})
        for text in ("one", "two", "three")
    ]
    started, done = [], []
    with pytest.raises(WriteFailedError):  # noqa: PT012 - what came before it counts
        for change, _ in permission_sets.write_all(changes, started.append):
            done.append(change)
    assert done == changes[:1]
    assert started == changes[:2]


def test_identifiers_are_of_what_is_there_and_take_one_look_for_all(permission_sets, transport):
    assert permission_sets.identifiers(["Auditors", "Nobody", "NoOne"]) == {"Auditors": ARN}
    assert len(transport.made("ListPermissionSets")) == 1


def test_a_change_of_something_that_is_gone_says_so(permission_sets):
    change = update(permission_sets, "Nobody", {"session_duration": "PT1H"}, {"session_duration": "PT2H"})
    with pytest.raises(NotFoundError, match="no permission set 'Nobody'"):
        apply(permission_sets, change)


def test_a_delegate_may_not_touch_what_the_management_account_uses(
    member_connection, permission_sets, transport
):
    transport.on("ProvisionPermissionSet", Refusal("AccessDeniedException", f"not for {ACCOUNT_ID}"))
    transport.on("ListAccountsForProvisionedPermissionSet", {"AccountIds": [ACCOUNT_ID]})
    from idc_aws.errors import AccessDeniedError

    delegate = PermissionSets(member_connection)
    with pytest.raises(AccessDeniedError, match="separate permission sets"):
        apply(delegate, update(delegate, "Auditors", BEFORE, {**BEFORE, "session_duration": "PT2H"}))


def test_a_refused_creation_says_that_nothing_was_written(permission_sets, transport):
    transport.on("CreatePermissionSet", Refusal("ValidationException"))
    with pytest.raises(WriteFailedError) as caught:
        apply(permission_sets, create(permission_sets, "New", BEFORE))
    assert caught.value.nothing_written


def test_a_creation_refused_halfway_says_that_something_was_written(permission_sets, transport):
    transport.on("CreatePermissionSet", {"PermissionSet": {"PermissionSetArn": ARN}})
    transport.on("AttachManagedPolicyToPermissionSet", Refusal("ServiceQuotaExceededException"))
    with pytest.raises(WriteFailedError) as caught:
        apply(permission_sets, create(permission_sets, "New", BEFORE))
    assert not caught.value.nothing_written


def test_a_creation_that_failed_inside_aws_may_have_been_written(permission_sets, transport):
    transport.on("CreatePermissionSet", Refusal("InternalServerException", status=500))
    with pytest.raises(KitError) as caught:
        apply(permission_sets, create(permission_sets, "New", BEFORE))
    assert not caught.value.nothing_written
