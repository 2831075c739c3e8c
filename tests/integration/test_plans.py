"""`idc plan` and `idc apply` in a real sandbox: exactly what was read is written, or nothing is."""

import json
import re
from dataclasses import dataclass

import pytest
import yaml
from typer.testing import CliRunner

from idc_aws.access import list_permission_sets
from idc_aws.connection import connect
from idc_aws.errors import (
    AccessDeniedError,
    ApplyRefusedError,
    KitError,
    ParametersError,
    RunFailedError,
    WriteFailedError,
)
from idc_aws.groups import Groups
from idc_aws.identity_store import find_principal_id
from idc_runner.cli.application import app
from idc_runner.plans import document, widening
from idc_runner.plans.document import read_plan

NOTEBOOKS = "05,06,07,08"


def wish(name, **values):
    """Return a scenario of a group, a permission set, a user and what connects them, all of one name."""
    return {
        "permission_sets": [{"name": name, "description": "ours", "session_duration": "PT1H"}],
        "groups": [{"display_name": name, "description": "ours"}],
        "account_assignments": [{"group": name, "permission_set": name, "accounts": ["Development"]}],
        "users": [{"user_name": name, "given_name": "Our", "family_name": "User", "groups": [name]}],
        **values,
    }


@pytest.fixture(scope="module")
def place(start_in, models_are_parsed_once):
    folder = start_in("plans")
    connect(state_folder=folder).console.enable_organization_instance(region="us-east-1")
    return folder


@dataclass
class Desk:
    """Gives commands, with a scenario, a plan's file and a folder of runs of the test's own."""

    folder: object
    connection: object

    @property
    def plan_file(self):
        return self.folder / "plan.json"

    @property
    def runs(self):
        return self.folder / "runs"

    def give(self, *arguments):
        return CliRunner().invoke(app, [str(one) for one in arguments], prog_name="idc")

    def plan(self, scenario, *options, only=NOTEBOOKS):
        file = self.folder / "mine.yaml"
        file.write_text(yaml.safe_dump(scenario), "utf-8")
        return self.give("plan", "-f", file, "--only", only, "--out", self.plan_file, *options)

    def apply(self, *options):
        return self.give("apply", self.plan_file, "--out", self.runs, *options)


@pytest.fixture
def desk(place, tmp_path, monkeypatch):
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(place))
    return Desk(tmp_path, connect(state_folder=place))


def test_a_plan_of_nothing_yet_is_whole_is_applied_once_and_is_undone(desk):
    page, text = desk.folder / "plan.html", desk.folder / "plan.md"
    planned = desk.plan(wish("Whole"), "--page", page, "--markdown", text)
    assert planned.exit_code == 2, planned.output
    # What is in the way of none of the steps: that the group, the set and the user are not there yet.
    assert "5 to create." in planned.output
    for shown in (planned.output, page.read_text("utf-8"), text.read_text("utf-8")):
        assert "account assignment group Whole · Whole · Development" in shown
    plan = read_plan(desk.plan_file)
    assert plan.effort == "29 calls, less than a second at AWS's 20 a second, to apply and check"
    assert list(plan.accounts.values()) == ["Development"]
    applied = desk.apply()
    assert applied.exit_code == 0, applied.output
    assert "Applied: 5 done; 5 checks, 0 failed." in applied.output
    assert "The plan was made on " in applied.output
    folder = (desk.runs / "latest").resolve()
    assert json.loads((folder / "summary.json").read_text("utf-8"))["notebooks"][0]["changes"]["create"] == 1
    assert "✔ Applied" in (folder / "index.html").read_text("utf-8")
    assert read_plan(folder / "plan.json") == read_plan(desk.plan_file)
    assert desk.plan(wish("Whole")).exit_code == 0
    assert read_plan(desk.plan_file).effort == ""
    undone = desk.give("undo", folder, "--yes")
    assert undone.exit_code == 0, undone.output
    assert find_principal_id(desk.connection, "GROUP", "Whole") is None


def test_a_user_and_their_own_access_are_one_plan_with_the_user_first(desk):
    own = wish("Direct")
    own["account_assignments"].append(
        {"user": "Direct", "permission_set": "Direct", "accounts": ["Production"]}
    )
    assert "6 to create." in desk.plan(own).output
    applied = desk.apply()
    assert "6 done; 6 checks, 0 failed." in applied.output, applied.output
    # Without the notebook that makes the user it has to wait, and the plan says so.
    own["users"].append({"user_name": "Another", "given_name": "A", "family_name": "U"})
    own["account_assignments"].append(
        {"user": "Another", "permission_set": "Direct", "accounts": ["Production"]}
    )
    alone = desk.plan(own, only="07")
    assert "user 'Another' does not exist yet: apply notebook 08" in alone.output
    assert alone.exit_code == 0


def test_the_same_plan_again_is_done_already_and_writes_nothing(desk):
    desk.plan(wish("Twice"))
    assert desk.apply().exit_code == 0
    again = desk.apply()
    assert (again.exit_code, "5 done already" in again.output) == (0, True), again.output
    assert not (desk.runs / "latest" / "receipts.jsonl").exists()


def change_description(desk, name):
    where = {"InstanceArn": desk.connection.instance.instance_arn}
    arn = list_permission_sets(desk.connection)[name]
    desk.connection.client("sso-admin").update_permission_set(
        **where, PermissionSetArn=arn, Description="theirs"
    )


def attach_policy(desk, name):
    where = {"InstanceArn": desk.connection.instance.instance_arn}
    arn = list_permission_sets(desk.connection)[name]
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    desk.connection.client("sso-admin").attach_managed_policy_to_permission_set(
        **where, PermissionSetArn=arn, ManagedPolicyArn=policy
    )


def delete_group(desk, name):
    where = {"IdentityStoreId": desk.connection.instance.identity_store_id}
    group_id = find_principal_id(desk.connection, "GROUP", name)
    desk.connection.client("identitystore").delete_group(**where, GroupId=group_id)


@pytest.mark.parametrize(
    ("name", "others", "words"),
    [
        ("Described", change_description, r"permission set Described: Description: 'ours' → 'theirs'"),
        (
            "Attached",
            attach_policy,
            r"permission set Attached: AWS managed policies: nothing → AdministratorAccess",
        ),
        ("Deleted", delete_group, r"group Deleted: was there → is gone"),
    ],
)
def test_what_others_changed_meanwhile_is_shown_field_by_field_and_nothing_is_written(
    desk, name, others, words
):
    desk.plan(wish(name))
    desk.apply()
    changed = wish(
        name,
        permission_sets=[{"name": name, "description": "longer", "session_duration": "PT4H"}],
        groups=[{"display_name": name, "description": "other"}, {"display_name": f"{name} 2"}],
    )
    assert desk.plan(changed).exit_code == 2
    others(desk, name)
    refused = desk.apply()
    assert isinstance(refused.exception, ApplyRefusedError)
    assert re.search(words, str(refused.exception)), refused.exception
    assert str(refused.exception).count("\n- ") == 1
    assert find_principal_id(desk.connection, "GROUP", f"{name} 2") is None


def test_who_is_to_get_something_and_is_gone_by_now_is_named_before_anything_is_written(desk):
    desk.plan(wish("Lost"))
    desk.apply()
    more = wish("Lost", groups=[{"display_name": "Lost"}, {"display_name": "Lost 2"}])
    more["users"][0]["groups"] = ["Lost", "Lost 2"]
    more["account_assignments"][0]["accounts"] = ["Development", "Production"]
    assert desk.plan(more).exit_code == 2
    store = {"IdentityStoreId": desk.connection.instance.identity_store_id}
    client = desk.connection.client("identitystore")
    client.delete_user(**store, UserId=find_principal_id(desk.connection, "USER", "Lost"))
    refused = desk.apply()
    assert isinstance(refused.exception, ApplyRefusedError)
    assert "- user Lost: was there → is gone" in str(refused.exception)
    assert str(refused.exception).count("\n- ") == 1
    assert find_principal_id(desk.connection, "GROUP", "Lost 2") is None


def test_a_thing_that_exists_by_now_is_not_taken_for_the_plans_own(desk):
    desk.plan(wish("Taken"))
    store = {"IdentityStoreId": desk.connection.instance.identity_store_id}
    desk.connection.client("identitystore").create_group(**store, DisplayName="Taken", Description="theirs")
    refused = desk.apply()
    assert "group Taken: was not there → exists" in str(refused.exception)
    assert "Taken" not in list_permission_sets(desk.connection)


def test_after_a_failure_what_is_done_is_kept_and_a_new_plan_goes_on(desk, monkeypatch):
    two = wish("Half", groups=[{"display_name": "Half"}, {"display_name": "Other half"}])
    desk.plan(two)
    create = Groups._create

    def failing(self, key, state, writer):
        if key == "Other half":
            raise WriteFailedError("AWS is tired", remedy="Wait.")
        return create(self, key, state, writer)

    with monkeypatch.context() as patch:
        patch.setattr(Groups, "_create", failing)
        failed = desk.apply()
    assert failed.exit_code == 1
    assert "2 done, 4 not done" in failed.output
    assert "AWS is tired" in failed.output
    page = (desk.runs / "latest" / "index.html").read_text("utf-8")
    assert ("✘ not done" in page, "AWS is tired" in page) == (True, True)
    notebooks = json.loads((desk.runs / "latest" / "summary.json").read_text("utf-8"))["notebooks"]
    assert [one["status"] for one in notebooks] == ["passed", "failed", "not run", "not run"]
    new = desk.plan(two)
    assert "4 to create, 2 unchanged." in new.output
    assert desk.apply().exit_code == 0


def test_when_it_is_asked_to_end_the_page_says_what_is_done(desk, monkeypatch):
    desk.plan(wish("Ended"))

    def interrupted(_self, _key, _state, _writer):
        raise KeyboardInterrupt

    monkeypatch.setattr(Groups, "_create", interrupted)
    ended = desk.apply()
    assert ended.exit_code == 130
    assert "1 done, 4 not done" in ended.output
    assert "To undo it: " in ended.output
    assert "✘ Failed" in (desk.runs / "latest" / "index.html").read_text("utf-8")


def test_a_plan_is_applied_only_where_it_was_made(desk):
    desk.plan(wish("Elsewhere"))
    told = json.loads(desk.plan_file.read_text("utf-8"))
    told["place"] |= {"account_id": "222233334444", "instance_arn": "arn:other", "state_id": "of yesterday"}
    desk.plan_file.write_text(json.dumps({**told, "digest": document._digest(told)}), "utf-8")
    refused = desk.apply()
    assert isinstance(refused.exception, ApplyRefusedError)
    lines = str(refused.exception).splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith("- ")] == [
        "- account",
        "- instance",
        "- state of the sandbox",
    ]
    assert find_principal_id(desk.connection, "GROUP", "Elsewhere") is None


def test_what_cannot_be_planned_is_named_all_at_once(desk):
    broken = wish("Nowhere", management={"delegated_administrator": "No such"})
    broken["account_assignments"][0]["accounts"] = ["Not there"]
    refused = desk.plan(broken, only="04,07")
    assert isinstance(refused.exception, RunFailedError)
    assert "2 steps cannot be planned" in str(refused.exception)
    assert ("'No such'" in str(refused.exception), "'Not there'" in str(refused.exception)) == (True, True)
    one = desk.plan(broken, only="07")
    assert isinstance(one.exception, ParametersError)
    assert "account_assignments[0].accounts[0]: the organization has no account 'Not there'" in str(
        one.exception
    )
    assert not desk.plan_file.exists()


def test_notebooks_without_a_plan_are_refused_with_those_that_have_one(desk):
    refused = desk.plan(wish("None"), only="00,99")
    assert isinstance(refused.exception, KitError)
    assert "05_permission_sets" in str(refused.exception)


def test_people_are_masked_in_what_is_shown_and_not_in_the_plans_file(desk):
    page = desk.folder / "plan.html"
    name = "masked.person"
    shown = desk.plan(wish(name), "--mask-personal-data", "--page", page, only="08").output
    assert name not in shown
    assert name not in page.read_text("utf-8")
    assert read_plan(desk.plan_file).plan.writes[0].key == name


def test_people_are_masked_in_a_refusal_too(desk):
    name = "refused.person"
    desk.plan(wish(name))
    assert desk.apply().exit_code == 0
    users = [{**wish(name)["users"][0], "title": "Chief"}]
    assert desk.plan(wish(name, users=users)).exit_code == 2
    directory = desk.connection.client("identitystore")
    directory.update_user(
        IdentityStoreId=desk.connection.instance.identity_store_id,
        UserId=find_principal_id(desk.connection, "USER", name),
        Operations=[{"AttributePath": "title", "AttributeValue": f"of {name}"}],
    )
    refused = desk.apply("--mask-personal-data")
    assert isinstance(refused.exception, ApplyRefusedError)
    assert "Title: nothing → " in str(refused.exception)
    assert name not in str(refused.exception)


def administrators(name, account, **assigned):
    """Return a scenario of an administrator's set that an account gets."""
    return wish(
        name,
        permission_sets=[{"name": name, "managed_policies": ["AdministratorAccess"]}],
        account_assignments=[{"permission_set": name, "accounts": [account], **assigned}],
    )


def test_more_access_is_named_and_applied_only_when_it_is_accepted(desk):
    planned = desk.plan(administrators("Chief", "Management", group="Chief"))
    rule = "administrator_in_management_account"
    for name in (f"{rule} (needs --accept)", "administrator_membership: ", "administrator_policy: "):
        assert name in planned.output
    assert f"idc apply {desk.plan_file} --accept {rule}" in planned.output
    refused = desk.apply()
    assert isinstance(refused.exception, ApplyRefusedError)
    assert f"add --accept {rule}" in str(refused.exception)
    line = next(line for line in planned.output.splitlines() if "(needs --accept)" in line)
    assert line.strip() in str(refused.exception)  # the same words for the same thing
    assert "Chief" not in list_permission_sets(desk.connection)
    mistaken = desk.apply("--accept", rule, "--accept", "pass_rule")
    assert "nothing to accept of 'pass_rule'" in str(mistaken.exception)
    # The file says what has to be accepted: one can plan with rules of one's own.
    rules = desk.folder / "rules.toml"
    rules.write_text(
        f'[rules]\n{rule} = "name"\nadministrator_policy = "off"\nadministrator_membership = "off"\n', "utf-8"
    )
    other = desk.plan(administrators("Chief", "Development", group="Chief"), "--rules", rules)
    assert "More access than before" not in other.output
    desk.plan(administrators("Chief", "Management", group="Chief"), "--rules", rules)
    assert desk.apply().exit_code == 0
    # A set that the management account has already, and that becomes an administrator's only now.
    desk.plan(
        wish(
            "Later",
            account_assignments=[{"group": "Later", "permission_set": "Later", "accounts": ["Management"]}],
        )
    )
    desk.apply()
    again = desk.plan(administrators("Later", "Management", group="Later"))
    assert f"{rule} (needs --accept): Later: becomes an administrator's set" in again.output


def test_a_set_that_the_plan_does_not_hold_is_read_from_the_target(desk, monkeypatch):
    desk.plan(administrators("Held", "Development", group="Held"))
    desk.apply()
    wanted = administrators("Held", "Management", group="Held")
    wanted["users"].append({"user_name": "late", "given_name": "L", "family_name": "U", "groups": ["Held"]})
    wanted["account_assignments"].append(
        {"permission_set": "Held", "accounts": ["Production"], "user": "Held"}
    )
    joining = desk.plan(wanted, only="07,08")
    assert "direct_user_assignment: user Held · Held · Production" in joining.output
    assert "administrator_membership: late in Held: joins a group that has Held" in joining.output
    assert joining.output.count("administrator_membership") == 1
    alone = {
        **wanted,
        "account_assignments": [],
        "permission_sets": [],
    }  # what the group has is on the target
    assert "late in Held: joins a group that has Held" in desk.plan(alone, only="08").output

    def denied(*_arguments):
        raise AccessDeniedError("only the management account may")

    with monkeypatch.context() as patch:
        patch.setattr(widening, "list_assignments_of_principals", denied)
        assert "late in Held: joins a group; what else it has cannot be" in desk.plan(alone, only="08").output
    planned = desk.plan(administrators("Held", "Management", group="Held"), only="07")
    assert "administrator_in_management_account (needs --accept)" in planned.output
