"""Each kind of thing through its life: made, changed, unchanged, taken back."""

import pytest
from resource_cycle import apply, delete, plan

from idc_aws.access import assignment_key, list_all_account_assignments
from idc_aws.assignments import AccountAssignments
from idc_aws.connection import connect
from idc_aws.errors import InstanceNotFoundError, WriteFailedError
from idc_aws.groups import GroupMemberships, Groups, membership_key
from idc_aws.instances import Instances
from idc_aws.organization import DelegatedAdministrators, list_accounts_with_paths, resolve_account
from idc_aws.permission_sets import PermissionSets
from idc_aws.settings import KEY, AttributesForAccessControl, ConsoleSettings
from idc_aws.users import Users

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
BILLING = "arn:aws:iam::aws:policy/job-function/Billing"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}


def permission_set(**fields):
    return {
        "session_duration": "PT1H",
        "managed_policies": [READ_ONLY],
        "accounts_to_provision": [],
        **fields,
    }


def assignments_of(group, name, *account_ids):
    states = {}
    for account_id in account_ids:
        parts = {
            "principal_type": "GROUP",
            "principal_name": group,
            "permission_set": name,
            "account_id": account_id,
        }
        states[assignment_key(**parts)] = parts
    return states


def test_the_connection_says_where_it_is(connection):
    assert (
        str(connection)
        == "sandbox · account 111122223333 (Management) · sandbox-administrator · Region us-east-1"
    )
    assert connection.instance.kind == "organization"


def test_an_organizations_instance_from_enabling_to_deleting(empty_connection):
    instances = Instances(empty_connection)
    assert empty_connection.instance_or_none() is None
    identifiers = apply(instances, {"organization": {"name": "practice", "tags": {"team": "security"}}})
    assert empty_connection.instance.instance_arn == identifiers["organization"]
    assert empty_connection.instance.name == "practice"
    apply(instances, {"organization": {"name": "renamed", "tags": {"stage": "practice"}}})
    delete(instances, identifiers)
    assert empty_connection.instance_or_none() is None


def test_everything_plans_before_there_is_an_instance(empty_connection):
    wanted = {
        PermissionSets: {"Auditors": permission_set()},
        Groups: {"Auditors": {}},
        Users: {"ana": {"given_name": "Ana"}},
        GroupMemberships: {"ana in Auditors": {"user_name": "ana", "group": "Auditors"}},
        AccountAssignments: assignments_of("Auditors", "Auditors", "111122223333"),
        AttributesForAccessControl: {KEY: {"attributes": {}}},
        ConsoleSettings: {"sessions": {"user_interactive": "PT1H"}},
    }
    for kind, states in wanted.items():
        assert [change.action.value for change in plan(kind(empty_connection), states).changes] == ["create"]


def test_another_region_has_no_instance(sandbox_folder):
    with pytest.raises(InstanceNotFoundError, match="Set `region` to 'us-east-1'"):
        connect(state_folder=sandbox_folder, region="eu-west-1").instance  # noqa: B018


def test_permission_sets(connection):
    permission_sets = PermissionSets(connection)
    first = permission_set(
        description="for auditors",
        relay_state="https://console.aws.amazon.com/ec2/",
        customer_managed_policies=[{"name": "ours", "path": "/team/"}],
        inline_policy=POLICY,
        permissions_boundary={"managed_policy": READ_ONLY},
        tags={"team": "audit"},
    )
    identifiers = apply(permission_sets, {"CycleOne": first, "CycleTwo": permission_set()})
    changed = permission_set(
        description="changed",
        session_duration="PT4H",
        managed_policies=[BILLING],
        customer_managed_policies=[],
        inline_policy=None,
        permissions_boundary={"customer_managed_policy": {"name": "edge", "path": "/"}},
        tags={"stage": "practice"},
    )
    apply(permission_sets, {"CycleOne": changed})
    apply(permission_sets, {"CycleOne": {**changed, "permissions_boundary": None, "tags": {}}})
    delete(permission_sets, identifiers)


def test_a_change_reaches_the_accounts_and_an_assigned_set_is_not_deleted(connection):
    permission_sets, groups, assignments = (
        kind(connection) for kind in (PermissionSets, Groups, AccountAssignments)
    )
    account_id = resolve_account(connection, "Development").account_id
    set_ids = apply(permission_sets, {"Reaching": permission_set()})
    group_ids = apply(groups, {"Reaching": {}})
    assignment_ids = apply(assignments, assignments_of("Reaching", "Reaching", account_id))
    apply(permission_sets, {"Reaching": permission_set(managed_policies=[BILLING], session_duration="PT2H")})
    iam = connection.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole", RoleSessionName="tests"
    )
    assert iam["Credentials"]["AccessKeyId"].startswith("ASIA")
    with pytest.raises(
        WriteFailedError,
        match=f"is used by others: account assignment group Reaching · Reaching · {account_id}",
    ):
        delete(permission_sets, set_ids)
    delete(assignments, assignment_ids)
    delete(groups, group_ids)
    delete(permission_sets, set_ids)


def test_a_set_that_somebody_changed_without_provisioning_is_planned_and_mended(connection):
    permission_sets, groups, assignments = (
        kind(connection) for kind in (PermissionSets, Groups, AccountAssignments)
    )
    account_id = resolve_account(connection, "Production").account_id
    (permission_set_arn,) = apply(permission_sets, {"Stale": permission_set()}).values()
    apply(groups, {"Stale": {}})
    apply(assignments, assignments_of("Stale", "Stale", account_id))
    connection.client("sso-admin").attach_managed_policy_to_permission_set(
        InstanceArn=connection.instance.instance_arn,
        PermissionSetArn=permission_set_arn,
        ManagedPolicyArn=BILLING,
    )
    wanted = {"Stale": permission_set(managed_policies=sorted([READ_ONLY, BILLING]))}
    (change,) = plan(permission_sets, wanted).writes
    assert change.reason == f"AWS accounts to provision: {account_id} → nothing"
    apply(permission_sets, wanted)


def test_provisioning_that_fails_names_the_reason(connection):
    permission_sets, groups, assignments = (
        kind(connection) for kind in (PermissionSets, Groups, AccountAssignments)
    )
    account_id = resolve_account(connection, "Development").account_id
    apply(permission_sets, {"Missing": permission_set()})
    apply(groups, {"Missing": {}})
    apply(assignments, assignments_of("Missing", "Missing", account_id))
    wanted = {"Missing": permission_set(customer_managed_policies=[{"name": "no-such-policy", "path": "/"}])}
    with pytest.raises(WriteFailedError, match=r"could not be provisioned(.|\n)*no-such-policy"):
        apply(permission_sets, wanted)


def test_more_assignments_than_the_window(connection):
    groups, permission_sets, assignments = (
        kind(connection) for kind in (Groups, PermissionSets, AccountAssignments)
    )
    names = [f"Window{number}" for number in range(6)]
    apply(groups, {"Window": {}})
    apply(permission_sets, {name: permission_set() for name in names})
    account_ids = [account.account_id for account in list_accounts_with_paths(connection)]
    wanted = {}
    for name in names:
        wanted |= assignments_of("Window", name, *account_ids[:4])
    identifiers = apply(assignments, wanted)
    assert len(identifiers) == 24
    shown = {
        (row.principal_name, row.permission_set, row.account_id)
        for row in list_all_account_assignments(connection)
        if row.principal_name == "Window"
    }
    assert shown == {("Window", state["permission_set"], state["account_id"]) for state in wanted.values()}
    delete(assignments, identifiers)


def test_an_assignment_that_fails_is_named_after_the_others(connection):
    groups, permission_sets, assignments = (
        kind(connection) for kind in (Groups, PermissionSets, AccountAssignments)
    )
    account_id = resolve_account(connection, "Development").account_id
    apply(groups, {"Failing": {}})
    broken = permission_set(customer_managed_policies=[{"name": "no-such-policy", "path": "/"}])
    apply(permission_sets, {"FailingSound": permission_set(), "FailingBroken": broken})
    sound = assignments_of("Failing", "FailingSound", account_id)
    with pytest.raises(WriteFailedError, match="FailingBroken"):
        apply(assignments, assignments_of("Failing", "FailingBroken", account_id) | sound)
    assert assignments.read(sound) == sound


PROFILE = {
    "given_name": "Ana",
    "family_name": "Lima",
    "display_name": "Ana Lima",
    "email": "ana@example.com",
    "email_type": "work",
    "phone_number": "+1-555-0100",
    "title": "Analyst",
    "user_type": "Employee",
    "nick_name": "Ani",
    "profile_url": "https://example.com/ana",
    "website": "https://example.com",
    "birthdate": "1990-04-23",
    "preferred_language": "pt-BR",
    "locale": "pt-BR",
    "timezone": "America/Sao_Paulo",
    "middle_name": "Maria",
    "honorific_prefix": "Dr.",
    "honorific_suffix": "Jr.",
    "address": {"street_address": "1 Road", "locality": "Town", "country": "BR"},
    "enterprise": {"employee_number": "7", "cost_center": "CC1", "manager": "ben"},
}


def test_users_and_memberships(connection):
    users, groups, memberships = (kind(connection) for kind in (Users, Groups, GroupMemberships))
    group_ids = apply(groups, {"Analysts": {"description": "first"}, "Others in here": {}})
    user_ids = apply(
        users, {"ana": PROFILE, "bo": {"given_name": "Bo", "family_name": "Ek", "display_name": "Bo"}}
    )
    changed = {
        **PROFILE,
        "title": "Lead",
        "email": "ana.lima@example.com",
        "address": {"locality": "City"},
        "enterprise": {"cost_center": "CC2", "department": "Audit"},
    }
    apply(users, {"ana": changed})
    apply(
        users,
        {"ana": {**changed, "nick_name": None, "phone_number": None, "enterprise": None, "address": None}},
    )
    apply(groups, {"Analysts": {"description": "second"}})
    apply(groups, {"Analysts": {"description": None}})
    wanted = {
        membership_key(user_name, group): {"user_name": user_name, "group": group}
        for user_name, group in (("ana", "Analysts"), ("ana", "Others in here"), ("bo", "Analysts"))
    }
    membership_ids = apply(memberships, wanted)
    delete(memberships, membership_ids)
    delete(users, user_ids)
    delete(groups, group_ids)


def test_attributes_for_access_control(connection):
    access_control = AttributesForAccessControl(connection)
    identifiers = apply(
        access_control, {KEY: {"attributes": {"CostCenter": "${path:enterprise.costCenter}"}}}
    )
    apply(access_control, {KEY: {"attributes": {"Department": "${path:enterprise.department}"}}})
    delete(access_control, identifiers)


def test_console_settings_take_effect_in_the_sandbox(connection):
    settings = ConsoleSettings(connection)
    assert not settings.by_hand
    wanted = {
        "access_portal": {"subdomain": "resources-portal"},
        "standard_authentication": {"send_email_otp": True},
        "multi_factor_authentication": {
            "prompt": "always-on",
            "allowed_types": ["authenticator-apps"],
            "user_without_device": "block",
            "users_manage_own_devices": False,
        },
        "sessions": {"user_interactive": "PT1H", "user_background": "P1D"},
    }
    apply(settings, wanted)
    assert plan(settings, {"identity_source": {"type": "identity_center_directory"}}).is_empty
    with pytest.raises(WriteFailedError, match="resources-portal"):
        apply(settings, {"access_portal": {"subdomain": "another-portal"}})


def test_delegated_administrators(connection):
    delegates = DelegatedAdministrators(connection)
    account_id = resolve_account(connection, "Security tooling").account_id
    delete(delegates, apply(delegates, {account_id: {"service_principal": "sso.amazonaws.com"}}))


def test_the_organization_is_a_tree(connection):
    paths = {account.name: account.path for account in list_accounts_with_paths(connection)}
    assert paths["Management"] == "Root"
    assert paths["Development"] == "Root/Workloads"


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (Users, {"everyone.ana"}),
        (Groups, {"Everyone"}),
        (GroupMemberships, {"everyone.ana in Everyone"}),
        (PermissionSets, {"EveryoneReads"}),
        (AccountAssignments, {"GROUP Everyone · EveryoneReads", "USER everyone.ana · EveryoneReads"}),
        (AttributesForAccessControl, set()),
        (DelegatedAdministrators, set()),
        (Instances, {"organization"}),
        (ConsoleSettings, {"identity_source", "access_portal"}),
    ],
)
def test_all_that_exists_is_read_by_lists_as_it_is_read_by_name(connection, everyone, kind, keys):
    resource = kind(connection)
    found = resource.read_all()
    assert resource.read(list(found)) == found
    assert {key for key in keys if any(one.startswith(key) for one in found)} == keys


@pytest.fixture(scope="module")
def everyone(connection):
    """One of each noun, made and left."""
    account_id = resolve_account(connection, "Development").account_id
    apply(Users(connection), {"everyone.ana": PROFILE | {"email": "everyone@example.com"}})
    apply(Groups(connection), {"Everyone": {"description": "all"}})
    state = {"user_name": "everyone.ana", "group": "Everyone"}
    apply(GroupMemberships(connection), {membership_key(*state.values()): state})
    apply(PermissionSets(connection), {"EveryoneReads": permission_set()})
    wanted = assignments_of("Everyone", "EveryoneReads", account_id)
    own = {"principal_type": "USER", "principal_name": "everyone.ana"}
    state = {**own, "permission_set": "EveryoneReads", "account_id": account_id}
    apply(AccountAssignments(connection), wanted | {assignment_key(**state): state})


@pytest.mark.parametrize(
    "kind", [Users, Groups, GroupMemberships, PermissionSets, AccountAssignments, ConsoleSettings]
)
def test_without_an_instance_nothing_exists(empty_connection, kind):
    assert kind(empty_connection).read_all() == {}
