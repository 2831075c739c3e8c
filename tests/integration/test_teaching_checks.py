"""Something is really changed behind the kit's back; the failed check says what, why, and where to go."""

from __future__ import annotations

from dataclasses import replace

import pytest
from patience import PATIENCE_S

from idc_aws.calls import wait_until
from idc_aws.connection import connect
from idc_aws.errors import CheckFailedError
from idc_aws.project import DEFAULT_SCENARIO, INTERACTIVE_VARIABLE, project_folder
from idc_aws.scenario.reading import load_scenario
from idc_helpers.notebook import inventory, steps
from idc_helpers.notebook.steps import NotebookStep
from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step

REASON = "Received a 404 status error: Not supported policy arn:aws:iam::987067819590:policy/Missing."


@pytest.fixture(scope="module")
def context(start_in, tmp_path_factory):
    """The whole lesson, applied once; each test changes one thing and sets it right again."""
    scenario = load_scenario(project_folder() / DEFAULT_SCENARIO)
    connection = connect(state_folder=start_in("teaching"))
    context = RunContext(connection, scenario, "apply", "lesson", tmp_path_factory.mktemp("teaching") / "run")
    for name in target_steps():
        Step(context, name).apply()
    return context


@pytest.fixture
def there(context):
    """The clients and ids that somebody else would use."""
    return Somebody(context.connection)


class Somebody:
    def __init__(self, connection):
        self.sso_admin = connection.client("sso-admin")
        self.identity_store = connection.client("identitystore")
        self.organizations = connection.client("organizations")
        self.console = connection.console
        self.instance = {"InstanceArn": connection.instance.instance_arn}
        self.store = {"IdentityStoreId": connection.instance.identity_store_id}

    def permission_set(self, name):
        arns = self.sso_admin.list_permission_sets(**self.instance)["PermissionSets"]
        for arn in arns:
            request = {**self.instance, "PermissionSetArn": arn}
            if self.sso_admin.describe_permission_set(**request)["PermissionSet"]["Name"] == name:
                return request
        raise AssertionError(name)

    def group_id(self, name):
        unique = {"AttributePath": "displayName", "AttributeValue": name}
        return self.identity_store.get_group_id(
            AlternateIdentifier={"UniqueAttribute": unique}, **self.store
        )["GroupId"]

    def user_id(self, name):
        unique = {"AttributePath": "userName", "AttributeValue": name}
        return self.identity_store.get_user_id(AlternateIdentifier={"UniqueAttribute": unique}, **self.store)[
            "UserId"
        ]

    def account_id(self, name):
        accounts = self.organizations.list_accounts()["Accounts"]
        return next(account["Id"] for account in accounts if account["Name"] == name)

    def settle(self):
        """Wait until no assignment is under way."""
        wait_until(self._under_way, lambda found: not found, timeout_s=PATIENCE_S, what="assignments to end")

    def _under_way(self):
        only = {"Filter": {"Status": "IN_PROGRESS"}, **self.instance}
        created = self.sso_admin.list_account_assignment_creation_status(**only)
        deleted = self.sso_admin.list_account_assignment_deletion_status(**only)
        return created["AccountAssignmentsCreationStatus"] + deleted["AccountAssignmentsDeletionStatus"]


def failed(context, step):
    """Return the failed checks of a step by name, after looking at what each of them must say."""
    results = Step(context, step).check()
    for check in results.failed:
        assert check.expected
        assert check.found
        assert check.cause
        assert check.go_back.link.startswith(check.go_back.notebook)
        assert check.source.startswith("https://docs.aws.amazon.com/")
    with pytest.raises(CheckFailedError, match="likely cause: "):
        results.require()
    return {check.name: check for check in results.failed}


def wanting(context, run, **sections):
    """Return the context with other wishes, and a run folder without any receipt."""
    scenario = context.scenario.model_copy(update=sections)
    return replace(context, scenario=scenario, run_folder=context.run_folder.with_name(run))


def mend(context, step):
    Step(context, step).apply()
    assert Step(context, step).check().passed


def test_a_permission_set_that_was_changed_but_not_provisioned(context, there):
    request = there.permission_set("ReadOnlyAccess")
    there.sso_admin.update_permission_set(SessionDuration="PT1H", **request)
    there.sso_admin.update_permission_set(
        SessionDuration="PT4H", Description="Look at everything, change nothing", **request
    )
    check = failed(context, "permission_sets")["permission set ReadOnlyAccess"]
    assert "AWS accounts to provision: Production (" in check.found
    assert "is not provisioned to" in check.cause
    assert "LATEST_PERMISSION_SET_NOT_PROVISIONED" in check.cause
    assert check.go_back.link == "05_permission_sets.ipynb#Choose"
    mend(context, "permission_sets")


def test_a_permission_set_that_somebody_made_last_longer(context, there):
    request = there.permission_set("BillingAuditor")
    there.sso_admin.update_permission_set(
        SessionDuration="PT12H", RelayState="https://console.aws.amazon.com/costmanagement/", **request
    )
    check = failed(context, "permission_sets")["permission set BillingAuditor"]
    assert "Session duration: 2 hours" in check.expected
    assert "Session duration: 12 hours" in check.found
    assert "it was changed outside of this run" in check.cause
    mend(context, "permission_sets")


def test_a_group_that_somebody_deleted_and_the_assignment_that_stood_on_it(context, there):
    there.identity_store.delete_group(GroupId=there.group_id("BillingAuditor"), **there.store)
    gone = failed(context, "groups")["group BillingAuditor"]
    assert "it was deleted outside of this run" in gone.cause
    assert "DeleteGroup" in gone.cause
    key = "account assignment group BillingAuditor · BillingAuditor · Management (111122223333)"
    assignment = failed(context, "account_assignments")[key]
    assert "the group 'BillingAuditor' is not in this instance's identity store" in assignment.cause
    assert assignment.go_back.link == "06_groups.ipynb#Choose"
    membership = failed(context, "users")["group membership richard.roe in BillingAuditor"]
    assert membership.go_back.notebook == "06_groups"
    for step in ("groups", "account_assignments", "users"):
        mend(context, step)


def test_an_assignment_that_somebody_deleted(context, there):
    production = there.account_id("Production")
    there.sso_admin.delete_account_assignment(
        TargetId=production,
        TargetType="AWS_ACCOUNT",
        PrincipalType="GROUP",
        PrincipalId=there.group_id("ReadOnlyAccess"),
        **there.permission_set("ReadOnlyAccess"),
    )
    there.settle()
    found = failed(context, "account_assignments")
    assert list(found) == [
        f"account assignment group ReadOnlyAccess · ReadOnlyAccess · Production ({production})"
    ]
    (check,) = found.values()
    assert "CloudTrail knows by whom (event DeleteAccountAssignment)" in check.cause
    mend(context, "account_assignments")


def test_an_assignment_that_aws_failed_says_why(context, there):
    (assignment,) = (each for each in context.scenario.account_assignments if each.group == "ReadOnlyAccess")
    wanted = [assignment.model_copy(update={"accounts": ["Log archive"]})]
    wants = wanting(context, "failing", account_assignments=wanted)
    there.console.call("PUT", "switches", {"fail_next_assignments": [REASON]})
    account = there.account_id("Log archive")
    there.sso_admin.create_account_assignment(
        TargetId=account,
        TargetType="AWS_ACCOUNT",
        PrincipalType="GROUP",
        PrincipalId=there.group_id("ReadOnlyAccess"),
        **there.permission_set("ReadOnlyAccess"),
    )
    there.settle()
    check = failed(wants, "account_assignments")[
        f"account assignment group ReadOnlyAccess · ReadOnlyAccess · Log archive ({account})"
    ]
    assert check.cause == f"AWS tried to make it and failed: {REASON}"


def test_a_user_whose_address_somebody_else_has(context, there):
    second = context.scenario.users[1].model_copy(update={"user_name": "richard.the.second"})
    wants = wanting(context, "second", users=[second])
    check = failed(wants, "users")["user richard.the.second"]
    assert "used by user 'richard.roe' already" in check.cause


def test_a_user_whose_profile_somebody_edited_and_a_membership_that_somebody_removed(context, there):
    operations = [{"AttributePath": "title", "AttributeValue": "Chief of everything"}]
    mary = there.user_id("mary.major")
    there.identity_store.update_user(UserId=mary, Operations=operations, **there.store)
    membership = there.identity_store.get_group_membership_id(
        GroupId=there.group_id("AdministratorAccess"), MemberId={"UserId": mary}, **there.store
    )["MembershipId"]
    there.identity_store.delete_group_membership(MembershipId=membership, **there.store)
    found = failed(context, "users")
    assert "Title: 'Chief of everything'" in found["user mary.major"].found
    assert "UpdateUser" in found["user mary.major"].cause
    left = found["group membership mary.major in AdministratorAccess"]
    assert "DeleteGroupMembership" in left.cause
    mend(context, "users")


def test_mappings_that_a_call_replaced_as_a_whole(context, there):
    only = {"Key": "Team", "Value": {"Source": ["${path:title}"]}}
    there.sso_admin.update_instance_access_control_attribute_configuration(
        InstanceAccessControlAttributeConfiguration={"AccessControlAttributes": [only]}, **there.instance
    )
    (check,) = failed(context, "access_control_attributes").values()
    assert "replaces the whole list" in check.cause
    mend(context, "access_control_attributes")


def test_a_setting_that_somebody_changed_in_the_console(context, there):
    there.console.write_setting(there.instance["InstanceArn"], "sessions", {"user_interactive": "PT15M"})
    (check,) = failed(context, "sessions").values()
    assert (check.expected, check.found) == (
        "User interactive sessions: 8 hours",
        "User interactive sessions: 15 minutes",
    )
    assert check.go_back.link == "03_authentication.ipynb#Sessions"
    mend(context, "sessions")


def test_an_identity_source_that_is_another_is_only_looked_at(context):
    source = context.scenario.identity_source.model_copy(update={"provisioning_method": "scim"})
    (check,) = failed(wanting(context, "source", identity_source=source), "identity_source").values()
    assert "only looks at it" in check.cause
    assert check.go_back.link == "02_settings.ipynb#Identity-source"


def test_a_step_that_only_reads_shows_what_is_there_and_its_checks_each_once(context, monkeypatch):
    shown = []
    monkeypatch.setattr(steps, "show", shown.append)
    portal = ("AWS access portal URL", "https://practice-portal.awsapps.com/start")
    checks = NotebookStep(context, "identity_source").take()
    assert [table.rows for table in shown] == [
        (
            ("Identity source", "Identity Center directory"),
            ("Authentication method", "Password"),
            ("Provisioning method", "Direct"),
            portal,
        )
    ]
    assert [row[0] for row in checks.rows] == ["✔ passed"]

    monkeypatch.setenv(INTERACTIVE_VARIABLE, "guided")
    shown.clear()
    assert NotebookStep(context, "identity_source").take().rows == checks.rows
    assert [type(one).__name__ for one in shown] == ["Table", "PageLinks"]
    shown.clear()
    scim = context.scenario.identity_source.model_copy(update={"provisioning_method": "scim"})
    other = NotebookStep(wanting(context, "look", identity_source=scim), "identity_source")
    assert "only looks at it" in repr(other.take()), "what fails is shown, and no error to a person"
    assert [type(one).__name__ for one in shown] == ["Table", "PageLinks", "Table"]

    monkeypatch.setattr(context.connection, "console", None)
    on_aws = inventory.identity_source(context.connection)
    assert {value for _, value in on_aws.rows[:3]} == {"no API shows it: look in the AWS console"}


def test_a_delegate_who_was_sent_away(context, there):
    (delegate,) = there.organizations.list_delegated_administrators()["DelegatedAdministrators"]
    there.organizations.deregister_delegated_administrator(
        AccountId=delegate["Id"], ServicePrincipal="sso.amazonaws.com"
    )
    (check,) = failed(context, "delegated_administrator").values()
    assert "DeregisterDelegatedAdministrator" in check.cause
    other = there.organizations.list_accounts()["Accounts"][-1]
    sso = {"AccountId": other["Id"], "ServicePrincipal": "sso.amazonaws.com"}
    there.organizations.register_delegated_administrator(**sso)
    (check,) = failed(context, "delegated_administrator").values()
    assert f"{other['Name']} ({other['Id']}) is the delegated administrator" in check.cause
    there.organizations.deregister_delegated_administrator(**sso)
    mend(context, "delegated_administrator")


def test_a_setting_on_aws_goes_by_a_record_and_says_when_the_record_is_of_other_values(context, monkeypatch):
    monkeypatch.setattr(context.connection, "console", None)
    elsewhere = replace(context, run_folder=context.run_folder.with_name("attesting"))
    (check,) = failed(elsewhere, "sessions").values()
    assert "nothing is recorded" in check.cause
    elsewhere.attestations.record(
        "sessions", {"user_interactive": "PT1H"}, by="Ana", seen="1 hour", instance_arn=""
    )
    (check,) = failed(elsewhere, "sessions").values()
    assert "a person recorded it with other values (User interactive sessions: 1 hour)" in check.cause


def test_another_region_than_the_home_region_is_named(context):
    elsewhere = connect(region="eu-west-1", state_folder=context.connection.console.state_folder)
    for step, notebook in (("instance", "01"), ("groups", "01"), ("permission_sets", "01")):
        results = Step(replace(context, target_connection=elsewhere), step).check()
        assert results.failed
        for check in results.failed:
            assert "There is one in us-east-1." in check.cause, step
            assert check.go_back.notebook.startswith(notebook)
