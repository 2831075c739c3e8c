import inspect
import re

import pytest

from idc_aws.files import read_table
from idc_helpers.runbook import explain_failures
from idc_helpers.runbook.explain_failures import Cause, Facts, likely_cause
from idc_helpers.runbook.lesson import LESSON

HERE = Facts(region="us-east-1")
KINDS = [
    "access_control_attributes",
    "delegated_administrator",
    "permission_set",
    "group",
    "account_assignment",
    "user",
    "group_membership",
]
SET = {"session_duration": "PT1H", "accounts_to_provision": []}


@pytest.mark.parametrize("kind", [*KINDS, "console_setting"])
def test_without_an_instance_the_region_is_asked_for_before_anything_else(kind):
    facts = Facts(
        region="eu-west-1", no_instance="no instance is visible in Region 'eu-west-1'.", made_at="x"
    )
    cause = likely_cause(kind, {}, None, facts)
    assert cause.step == "instance"
    assert "is 'eu-west-1' its home Region?" in cause.words


def test_an_instance_that_is_missing_is_not_enabled_or_elsewhere():
    assert "home Region is not 'us-east-1'" in likely_cause("instance", {}, None, HERE).words
    elsewhere = Facts(region="us-east-1", no_instance="There is one in eu-west-1.")
    assert likely_cause("instance", {}, None, elsewhere) == Cause("There is one in eu-west-1.")
    ours = likely_cause("instance", {}, None, Facts(region="us-east-1", made_at="noon"))
    assert "This run enabled one at noon: it lives in another Region, or was deleted since." in ours.words


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_never_made_was_not_applied_or_has_not_spread(kind):
    cause = likely_cause(kind, {}, None, HERE)
    assert "not applied yet" in cause.words
    assert "spread" in cause.words
    assert cause.step == ""


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("access_control_attributes", "DeleteInstanceAccessControlAttributeConfiguration"),
        ("delegated_administrator", "DeregisterDelegatedAdministrator"),
        ("permission_set", "DeletePermissionSet"),
        ("group", "DeleteGroup"),
        ("account_assignment", "DeleteAccountAssignment"),
        ("user", "DeleteUser"),
        ("group_membership", "RemoveMemberFromGroup"),
    ],
)
def test_what_this_run_made_and_is_gone_was_deleted_by_somebody_and_cloudtrail_knows(kind, event):
    cause = likely_cause(kind, {}, None, Facts(region="us-east-1", made_at="2026-11-23 08:00:00 UTC"))
    assert "this run made it at 2026-11-23 08:00:00 UTC, and it was deleted outside" in cause.words
    assert event in cause.words


def test_what_this_run_took_back_or_began_is_told_apart():
    assert "took it back itself" in likely_cause("group", {}, None, Facts(taken_back_at="noon")).words
    assert "begun at noon" in likely_cause("group", {}, None, Facts(interrupted_at="noon")).words


@pytest.mark.parametrize(
    ("absent", "step", "words"),
    [
        ((("group", "Auditors"),), "groups", "the group 'Auditors' is not in this instance's identity store"),
        ((("user", "ana"),), "users", "the user 'ana' is not in this instance's identity store"),
        (
            (("permission_set", "ReadOnly"),),
            "permission_sets",
            "the permission set 'ReadOnly' is not in this instance's permission sets",
        ),
    ],
)
def test_an_assignment_without_one_of_its_parts_leads_to_the_step_that_makes_the_part(absent, step, words):
    cause = likely_cause("account_assignment", {}, None, Facts(absent=absent, made_at="noon"))
    assert words in cause.words
    assert cause.step == step


def test_an_assignment_that_aws_failed_gives_the_reason():
    facts = Facts(failure="Received a 404 status error: Not supported policy")
    assert "404 status error" in likely_cause("account_assignment", {}, None, facts).words


def test_an_email_that_somebody_else_has_is_named_with_its_holder():
    assert "user 'ana'" in likely_cause("user", {"email": "a@b.c"}, None, Facts(email_holder="ana")).words


def test_a_set_that_is_not_provisioned_names_the_accounts_and_the_way():
    found = {**SET, "accounts_to_provision": ["111122223333"]}
    cause = likely_cause("permission_set", SET, found, Facts(made_at="noon"))
    assert "not provisioned to 111122223333" in cause.words
    assert "ProvisionPermissionSet" in cause.words
    changed = {**found, "session_duration": "PT9H"}
    assert (
        "changed outside of this run"
        in likely_cause("permission_set", SET, changed, Facts(made_at="noon")).words
    )


def test_a_value_that_this_run_set_was_changed_outside_and_one_that_it_never_set_is_old():
    wanted, found = {"description": "a"}, {"description": "b"}
    ours = likely_cause("group", wanted, found, Facts(made_at="noon"))
    assert "this run set it at noon, and it was changed outside" in ours.words
    assert "UpdateGroup" in ours.words
    assert "there before this run" in likely_cause("group", wanted, found, HERE).words


def test_a_setting_that_no_api_shows_goes_by_a_persons_word():
    nobody = likely_cause("console_setting", {}, None, HERE, by_hand=True)
    assert "nothing is recorded" in nobody.words
    other = Facts(attested={"prompt": "never"})
    assert (
        "with other values (Prompt users for MFA: Never (disabled))"
        in likely_cause("console_setting", {}, None, other, by_hand=True).words
    )
    looked_at = likely_cause("console_setting", {"type": "a"}, {"type": "b"}, HERE, by_hand=True)
    assert "only looks at it" in looked_at.words


def test_the_organizations_instance_is_enabled_by_hand_and_its_cause_is_the_region():
    assert "not enabled yet" in likely_cause("instance", {}, None, HERE, by_hand=True).words


def test_each_cause_of_the_table_is_given_by_a_check_and_leads_to_a_step_that_there_is():
    causes = read_table("causes", "idc_helpers")
    causes.pop("events")
    code = inspect.getsource(explain_failures)
    assert set(causes) <= set(re.findall(r'"(\w+)"', code))
    assert {cause["step"] for cause in causes.values() if "step" in cause} <= set(LESSON)
