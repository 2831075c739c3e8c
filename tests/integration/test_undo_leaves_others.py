"""Undo in a real sandbox while others work there: nothing that is not ours is lost, the verdict is true.

One table of what others did, and what undo makes of it; the next case is one line.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from typer.testing import CliRunner

from idc_aws.access import list_permission_sets
from idc_aws.connection import connect
from idc_aws.errors import ApplyRefusedError
from idc_aws.identity_store import find_principal_id
from idc_aws.organization import list_accounts
from idc_aws.sandbox import sandbox_command
from idc_aws.scenario.scenario import Scenario
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown
from idc_runner.cli.application import app
from idc_runner.notebooks import RunRecord, write_record

CUSTOM = "arn:aws:sso::aws:applicationProvider/custom"
STEPS = ("permission_sets", "groups", "account_assignments", "users")
SCENARIO = Scenario.model_validate(
    {
        "permission_sets": [{"name": "Ours", "description": "ours", "session_duration": "PT1H"}],
        "groups": [{"display_name": "Ours", "description": "ours"}],
        "account_assignments": [{"group": "Ours", "permission_set": "Ours", "accounts": ["Development"]}],
        "users": [
            {
                "user_name": "our.user",
                "given_name": "Our",
                "family_name": "User",
                "display_name": "Our User",
                "groups": ["Ours"],
            }
        ],
    }
)


@pytest.fixture(scope="module")
def place(start_in):
    folder = start_in("others")
    connect(state_folder=folder).console.enable_organization_instance(region="us-east-1")
    return folder


class Others:
    """Somebody else with the same rights, who uses plain boto3."""

    def __init__(self, connection):
        self.connection = connection
        self.directory, self.sso = (connection.client(name) for name in ("identitystore", "sso-admin"))
        self.store = {"IdentityStoreId": connection.instance.identity_store_id}
        self.where = {"InstanceArn": connection.instance.instance_arn}

    @property
    def group(self):
        return find_principal_id(self.connection, "GROUP", "Ours") or find_principal_id(
            self.connection, "GROUP", "Renamed"
        )

    @property
    def user(self):
        return find_principal_id(self.connection, "USER", "our.user") or find_principal_id(
            self.connection, "USER", "renamed"
        )

    @property
    def permission_set(self):
        return list_permission_sets(self.connection)["Ours"]

    def make_user(self, name="their.user"):
        return self.directory.create_user(
            UserName=name,
            DisplayName=name,
            Name={"GivenName": "T", "FamilyName": "U"},
            **self.store,
        )["UserId"]

    def make_group(self, name="Theirs"):
        return self.directory.create_group(DisplayName=name, **self.store)["GroupId"]

    def make_permission_set(self):
        answer = self.sso.create_permission_set(Name="Theirs", **self.where)
        return answer["PermissionSet"]["PermissionSetArn"]

    def join(self, user_id, group_id):
        self.directory.create_group_membership(GroupId=group_id, MemberId={"UserId": user_id}, **self.store)

    def assign(self, kind, principal_id, permission_set_arn, name="Development"):
        account = next(one for one in list_accounts(self.connection) if one.name == name)
        self.sso.create_account_assignment(
            PrincipalType=kind,
            PrincipalId=principal_id,
            PermissionSetArn=permission_set_arn,
            TargetId=account.account_id,
            TargetType="AWS_ACCOUNT",
            **self.where,
        )

    def connect_application(self, kind, principal_id, name="Reports"):
        answer = self.sso.create_application(ApplicationProviderArn=CUSTOM, Name=name, **self.where)
        self.sso.create_application_assignment(
            ApplicationArn=answer["ApplicationArn"], PrincipalType=kind, PrincipalId=principal_id
        )

    def change(self, what, which, path, value):
        getattr(self.directory, f"update_{what}")(
            **{f"{what.capitalize()}Id": which},
            Operations=[{"AttributePath": path, "AttributeValue": value}],
            **self.store,
        )

    def clear(self):
        """Delete everything, whoever made it: the next case begins with nothing."""
        for application in self.sso.list_applications(**self.where)["Applications"]:
            self.sso.delete_application(ApplicationArn=application["ApplicationArn"])
        for arn in self.sso.list_permission_sets(**self.where)["PermissionSets"]:
            accounts = self.sso.list_accounts_for_provisioned_permission_set(
                PermissionSetArn=arn, **self.where
            )["AccountIds"]
            for account_id in accounts:
                self._unassign(arn, account_id)
            settled(lambda arn=arn: self.sso.delete_permission_set(PermissionSetArn=arn, **self.where))
        for group in self.directory.list_groups(**self.store)["Groups"]:
            self.directory.delete_group(GroupId=group["GroupId"], **self.store)
        for user in self.directory.list_users(**self.store)["Users"]:
            self.directory.delete_user(UserId=user["UserId"], **self.store)

    def _unassign(self, arn, account_id):
        which = {"PermissionSetArn": arn, **self.where}
        rows = self.sso.list_account_assignments(AccountId=account_id, **which)["AccountAssignments"]
        for row in rows:
            self.sso.delete_account_assignment(
                TargetId=account_id,
                TargetType="AWS_ACCOUNT",
                PrincipalType=row["PrincipalType"],
                PrincipalId=row["PrincipalId"],
                **which,
            )


def settled(call):
    for _ in range(200):
        try:
            return call()
        except Exception as error:
            if "Conflict" not in type(error).__name__ and "Conflict" not in str(error):
                raise
            time.sleep(0.1)
    return call()


@pytest.fixture
def others(place):
    others = Others(connect(state_folder=place))
    others.clear()
    return others


@pytest.fixture
def run(place, others, tmp_path):
    context = RunContext(connect(state_folder=place), SCENARIO, "apply", "lesson", tmp_path / "run")
    for name in STEPS:
        Step(context, name).apply()
    return context


@dataclass(frozen=True)
class Case:
    """What others did, which of ours is left, and what the verdict says of it."""

    name: str
    did: Callable[[Others], Any]
    left: set[str]
    words: str


CASES = [
    Case("a member of ours", lambda o: o.join(o.make_user(), o.group), {"group"}, "member their.user"),
    Case(
        "our group uses theirs",
        lambda o: o.assign("GROUP", o.group, o.make_permission_set()),
        {"group"},
        "account assignment group Ours · Theirs",
    ),
    Case("a description", lambda o: o.change("group", o.group, "description", "t"), {"group"}, "Description"),
    Case("a new name", lambda o: o.change("group", o.group, "displayName", "Renamed"), {"group"}, "Renamed"),
    Case(
        "a new name, and another of the old one",
        lambda o: (o.change("group", o.group, "displayName", "Renamed"), o.make_group("Ours")),
        {"group", "another Ours"},
        "Renamed",
    ),
    Case("a group of the user", lambda o: o.join(o.user, o.make_group()), {"user"}, "membership in Theirs"),
    Case("a field of the user", lambda o: o.change("user", o.user, "title", "Boss"), {"user"}, "Title"),
    Case("a user's new name", lambda o: o.change("user", o.user, "userName", "renamed"), {"user"}, "renamed"),
    Case(
        "an assignment of the user",
        lambda o: o.assign("USER", o.user, o.make_permission_set()),
        {"user"},
        "account assignment user our.user · Theirs",
    ),
    Case(
        "an assignment of our set",
        lambda o: o.assign("GROUP", o.make_group(), o.permission_set),
        {"permission_set"},
        "account assignment group Theirs · Ours",
    ),
    Case(
        "our group and our set in another account",
        lambda o: o.assign("GROUP", o.group, o.permission_set, "Production"),
        {"group", "permission_set"},
        "account assignment group Ours · Ours",
    ),
    Case(
        "an application of our group",
        lambda o: o.connect_application("GROUP", o.group),
        {"group"},
        "application Reports",
    ),
    Case(
        "an application of our user",
        lambda o: o.connect_application("USER", o.user),
        {"user"},
        "application Reports",
    ),
    Case(
        "a tag of our set",
        lambda o: o.sso.tag_resource(
            ResourceArn=o.permission_set, Tags=[{"Key": "k", "Value": "v"}], **o.where
        ),
        {"permission_set"},
        "Tags",
    ),
]


def there(others):
    found = {
        "group": find_principal_id(others.connection, "GROUP", "Renamed")
        or find_principal_id(others.connection, "GROUP", "Ours"),
        "user": find_principal_id(others.connection, "USER", "our.user")
        or find_principal_id(others.connection, "USER", "renamed"),
        "permission_set": list_permission_sets(others.connection).get("Ours"),
    }
    names = {name for name, identifier in found.items() if identifier}
    both = all(find_principal_id(others.connection, "GROUP", name) for name in ("Ours", "Renamed"))
    return names | ({"another Ours"} if both else set())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_others_use_or_changed_is_left_alone_and_reported(run, others, case):
    case.did(others)
    wait_for_assignments(others)
    teardown = Teardown(run)
    undo = teardown.plan()
    teardown.apply(undo)
    assert there(others) == case.left
    check = teardown.check().checks[0]
    assert not check.passed
    assert case.words in check.detail
    verdict = teardown.verdict()
    assert (verdict.undone > 0, verdict.left_alone, verdict.unreadable, verdict.is_complete) == (
        True,
        len(case.left - {"another Ours"}),
        0,
        False,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_include_used_shows_what_hangs_on_it_and_deletes_ours_alone(run, others, case):
    case.did(others)
    wait_for_assignments(others)
    theirs = {one for name in ("their.user",) if (one := find_principal_id(others.connection, "USER", name))}
    teardown = Teardown(run, include_used=True)
    undo = teardown.plan()
    assert any(case.words in change.reason for change in undo.plan.writes)
    teardown.apply(undo)
    assert there(others) in (set(), {"group"} if "another Ours" in case.left else set())
    assert teardown.check().passed
    assert {find_principal_id(others.connection, "USER", "their.user")} - {None} == theirs


def wait_for_assignments(others):
    for _ in range(200):
        listed = others.sso.list_account_assignment_creation_status(**others.where)
        if all(one["Status"] != "IN_PROGRESS" for one in listed["AccountAssignmentsCreationStatus"]):
            return
        time.sleep(0.1)


@pytest.mark.parametrize("case", [CASES[0], CASES[2]], ids=lambda case: case.name)
def test_what_changes_after_the_plan_was_shown_is_seen_before_anything_is_deleted(run, others, case):
    teardown = Teardown(run)
    teardown.review()
    case.did(others)
    try:
        teardown.apply_reviewed()
    except ApplyRefusedError as error:
        assert "has changed since the plan was shown" in str(error)  # noqa: PT017
    except Exception as error:
        assert "used by others" in str(error)  # noqa: PT017
    assert "group" in there(others)


def test_a_step_whose_things_later_steps_use_is_undone_after_those(run, others):
    teardown = Teardown(run, frozenset({"groups"}))
    teardown.apply()
    assert there(others) == {"group", "user", "permission_set"}
    Teardown(run).apply()
    assert there(others) == set()


def test_a_state_that_was_reset_is_another_one_and_undo_of_the_old_run_is_refused(
    start_in, tmp_path, monkeypatch
):
    folder = start_in("reset")
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(folder))

    def apply_in(name):
        connection = connect(state_folder=folder)
        run = RunContext(connection, SCENARIO, "apply", "lesson", tmp_path / "runs" / name)
        for step in ("instance", "groups"):
            Step(run, step).apply()
        return run

    first = apply_in("E")
    ids = {receipt.identifier for receipt in first.receipts.read()}
    subprocess.run(sandbox_command("reset", "--state", str(folder)), check=True, capture_output=True)
    second = apply_in("F")
    assert ids == {receipt.identifier for receipt in second.receipts.read()}, "ids come back"
    done = CliRunner().invoke(app, ["undo", str(tmp_path / "runs" / "E"), "--yes"])
    assert done.exit_code != 0
    assert "another state of the sandbox" in f"{done.output}{done.exception}"
    group = SCENARIO.groups[0].display_name
    assert find_principal_id(second.connection, "GROUP", group)
    # The teardown of a folder that holds both keeps to its own.
    with (tmp_path / "runs" / "F" / "receipts.jsonl").open("ab") as file:
        file.write((tmp_path / "runs" / "E" / "receipts.jsonl").read_bytes())
    done = CliRunner().invoke(app, ["undo", str(tmp_path / "runs" / "F"), "--yes"])
    assert "skipped: 2 of sandbox account" in done.output
    assert done.exit_code == 3
    assert connect(state_folder=folder).instance_or_none() is None


@pytest.fixture
def standing(place, monkeypatch):
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(place))


def of_aws(line):
    values = json.loads(line)
    return json.dumps(
        {**values, "target": "aws", "state_id": "", "receipt_id": f"{values['receipt_id']}-aws"}
    )


@pytest.mark.usefixtures("standing")
def test_receipts_of_aws_and_of_the_sandbox_live_in_one_folder(run, others):
    path = run.receipts.path
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines, *map(of_aws, lines)]) + "\n", "utf-8")
    assert len(run.receipts.open_receipts()) == 5
    assert Teardown(run).check().checks[1].detail.startswith("skipped: 5 of aws account")
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes"])
    assert (done.exit_code, there(others)) == (3, set())
    assert "Verdict: 5 undone, 0 left alone, 0 unreadable" in done.output
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes", "--target", "sandbox"])
    assert "no receipt that is not undone yet is of target 'sandbox'" in f"{done.output}{done.exception}"


def _and_one_more(**fields):
    """Return damage: a receipt like the newest one, with other fields."""

    def damaged(lines):
        values = {**json.loads(lines[-1]), "receipt_id": "odd", **fields}
        return b"".join([*lines, json.dumps(values).encode() + b"\n"])

    return damaged


DAMAGE = {
    "ids that AWS cannot have": _and_one_more(
        kind="account_assignment", key="GROUP A · B · 111122223333", identifier="x y"
    ),
    "half of a character": _and_one_more(kind="group", key="a\ud800b"),
    "noise": lambda lines: b"\x00\xff\xfe\x80garbage\n" * 3,
    "JSON of other shapes": lambda lines: b'[1, 2]\n"text"\n{"a": 1}\n',
    "a torn line": lambda lines: b"".join(lines) + lines[0][:40],
    "a line without its action": lambda lines: b"".join([*lines, lines[0].replace(b'"action"', b'"x"')]),
    "a key that names nothing": lambda lines: b"".join(
        [
            *lines,
            lines[0]
            .replace(b'"permission_set"', b'"account_assignment"')
            .replace(b'receipt_id":"', b'receipt_id":"x'),
        ]
    ),
}


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize("name", DAMAGE)
def test_receipts_that_cannot_be_read_are_counted_and_the_undo_is_not_complete(run, name):
    path = run.receipts.path
    path.write_bytes(DAMAGE[name](path.read_bytes().splitlines(keepends=True)))
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes"])
    assert done.exit_code == 3, done.output
    assert " 0 unreadable" not in done.output.rpartition("Verdict")[2]
    checks = Teardown(run).check()
    assert [check.passed for check in checks] == [True, False]


@pytest.mark.usefixtures("standing")
def test_a_link_that_leads_nowhere_is_not_a_run_that_made_nothing(run, others, tmp_path):
    run.receipts.path.rename(tmp_path / "moved")
    run.receipts.path.symlink_to(tmp_path / "gone")
    write_record(run.run_folder, RunRecord("sandbox", "apply", "us-east-1", None, ""))
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes"])
    assert (done.exit_code, "Nothing is left" in done.output) == (1, False)
    assert there(others) == {"group", "user", "permission_set"}


@pytest.mark.usefixtures("standing")
def test_receipts_of_an_earlier_kit_name_an_assignment_without_its_account(run, others):
    path = run.receipts.path
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        if line["kind"] == "account_assignment":
            line["identifier"] = " ".join(line["identifier"].split(" ")[:2])
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes"])
    assert (done.exit_code, there(others)) == (0, set()), done.output
    assert "was renamed" not in done.output


@pytest.mark.usefixtures("standing")
def test_what_one_may_not_delete_keeps_no_other_from_being_undone(run, others):
    fault = {
        "service": "identitystore",
        "operation": "DeleteGroup",
        "code": "AccessDeniedException",
        "next": 1,
    }
    others.connection.console.call("PUT", "switches", {"faults": [fault]})
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes"])
    assert done.exit_code == 1
    assert there(others) == {"group"}
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes"])
    assert (done.exit_code, there(others)) == (0, set()), done.output


@pytest.mark.usefixtures("standing")
def test_an_undo_that_leaves_nothing_ends_with_0_and_says_so(run, others):
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes"])
    assert (done.exit_code, there(others)) == (0, set()), done.output
    assert "Verdict: 5 undone, 0 left alone, 0 unreadable." in done.output


@pytest.mark.usefixtures("standing")
def test_what_aws_never_takes_back_is_said_once_and_fails_no_undo_for_ever(place, others, tmp_path):
    others.make_permission_set()
    others.make_group()
    wanted = Scenario.model_validate(
        {
            "instance": {"name": "a-name", "tags": {"a": "1"}},
            "permission_sets": [
                {"name": "Theirs", "description": "ours", "relay_state": "https://a.example"}
            ],
            "groups": [{"display_name": "Theirs", "description": "ours"}],
        }
    )
    run = RunContext(connect(state_folder=place), wanted, "apply", "lesson", tmp_path / "names")
    for step in ("instance", "permission_sets", "groups"):
        Step(run, step).apply()
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes"])
    assert done.exit_code in (0, 3), done.output
    assert "AWS takes no empty name" in done.output
    assert "AWS keeps the description" in done.output
    assert Teardown(replace(run, target_connection=connect(state_folder=place))).check().passed
    again = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes"])
    assert again.exit_code == 0, again.output
    assert "Nothing is left to undo" in again.output


OF_AN_INSTANCE = Scenario.model_validate(
    {
        "instance": {"name": "ours"},
        "access_control_attributes": {"attributes": {"team": "${path:enterprise.department}"}},
        "authentication": {"sessions": {"user_interactive": "PT4H"}},
    }
)
ATTRIBUTES = {"Key": "theirs", "Value": {"Source": ["${path:enterprise.division}"]}}


def _add_an_attribute(connection, arn):
    sso = connection.client("sso-admin")
    found = sso.describe_instance_access_control_attribute_configuration(InstanceArn=arn)
    mapping = found["InstanceAccessControlAttributeConfiguration"]["AccessControlAttributes"]
    sso.update_instance_access_control_attribute_configuration(
        InstanceArn=arn,
        InstanceAccessControlAttributeConfiguration={"AccessControlAttributes": [*mapping, ATTRIBUTES]},
    )


IN_AN_INSTANCE = [
    (_add_an_attribute, "attributes"),
    (lambda c, arn: c.client("sso-admin").update_instance(InstanceArn=arn, Name="theirs"), "theirs"),
    (
        lambda c, arn: c.client("sso-admin").create_application(
            InstanceArn=arn, ApplicationProviderArn=CUSTOM, Name="Reports"
        ),
        "application Reports",
    ),
    (lambda c, arn: c.console.write_setting(arn, "sessions", {"user_interactive": "PT2H"}), "sessions"),
]


@pytest.mark.parametrize(("did", "words"), IN_AN_INSTANCE, ids=[words for _, words in IN_AN_INSTANCE])
def test_an_instance_of_ours_in_which_others_set_something_stays(empty_folder, tmp_path, did, words):
    connection = connect(state_folder=empty_folder)
    run = RunContext(connection, OF_AN_INSTANCE, "apply", "lesson", tmp_path / "run")
    for name in ("instance", "access_control_attributes", "sessions"):
        Step(run, name).apply()
    arn = connection.instance.instance_arn
    did(connection, arn)
    Teardown(run).apply()
    (check, *_) = Teardown(run).check()
    assert not check.passed
    assert words in check.detail
    assert connection.refresh_instance() is not None
    connection.client("sso-admin").delete_instance(InstanceArn=arn)


def test_what_was_begun_is_left_alone_where_a_receipt_that_cannot_be_read_may_say_how_it_ended(run, others):
    path = run.receipts.path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b'"kind":"group",' not in line or b"started" in line))
    with path.open("ab") as file:
        file.write(b'{"receipt_id": "torn\n')
    Teardown(run).apply()
    assert there(others) == {"group"}
    assert "may say how it ended" in Teardown(run).check().checks[0].detail


@pytest.mark.usefixtures("standing")
def test_receipts_of_two_regions_are_undone_one_at_a_time(run, others):
    path = run.receipts.path
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    elsewhere = [
        {**one, "region": "eu-west-1", "receipt_id": f"{one['receipt_id']}-eu"}
        for one in lines
        if one["kind"] == "group"
    ]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in (*elsewhere, *lines)), "utf-8")
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes", "--region", "eu-west-1"])
    assert there(others) == {"group", "user", "permission_set"}, done.output
    done = CliRunner().invoke(app, ["undo", str(run.run_folder), "--yes", "--region", "us-east-1"])
    assert (done.exit_code, there(others)) == (0, set()), done.output
