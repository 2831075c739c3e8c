"""`idc drift` in a real sandbox: what others changed is found, with since when; nothing is touched."""

import json
from types import SimpleNamespace

import pytest
import yaml
from typer.testing import CliRunner

from idc_aws.access import list_permission_sets
from idc_aws.connection import connect
from idc_aws.errors import AccessDeniedError
from idc_aws.groups import Groups
from idc_aws.identity_store import find_principal_id
from idc_runner.cli.application import app

SCENARIO = {
    "permission_sets": [{"name": "Ours", "description": "ours", "session_duration": "PT1H"}],
    "groups": [{"display_name": "Ours", "description": "ours"}, {"display_name": "Kept"}],
    "account_assignments": [{"group": "Ours", "permission_set": "Ours", "accounts": ["Development"]}],
    "users": [{"user_name": "our.user", "given_name": "Our", "family_name": "User", "groups": ["Ours"]}],
}


@pytest.fixture(scope="module")
def desk(start_in, tmp_path_factory, models_are_parsed_once):
    """A sandbox in which the scenario was applied, its folder of runs, and what gives `idc drift`."""
    state, folder = start_in("drift"), tmp_path_factory.mktemp("desk")
    connection = connect(state_folder=state)
    connection.console.enable_organization_instance(region="us-east-1")
    scenario, plan, runs = folder / "mine.yaml", folder / "plan.json", folder / "runs"
    scenario.write_text(yaml.safe_dump(SCENARIO), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDC_SANDBOX_STATE", str(state))

        def give(*arguments):
            return CliRunner().invoke(app, [str(one) for one in arguments], prog_name="idc")

        def drift(*options):
            return give("drift", "-f", scenario, "--only", "05,06,07,08", "--runs", runs, *options)

        give("plan", "-f", scenario, "--only", "05,06,07,08", "--out", plan)
        assert give("apply", plan, "--out", runs).exit_code == 0
        yield SimpleNamespace(
            connection=connection,
            drift=drift,
            directory=connection.client("identitystore"),
            sso=connection.client("sso-admin"),
            store={"IdentityStoreId": connection.instance.identity_store_id},
            instance={"InstanceArn": connection.instance.instance_arn},
            page=folder / "drift.html",
            scenario=scenario,
            give=give,
            runs=runs,
        )


@pytest.fixture
def changed_outside(desk):
    """Let somebody else change a set, delete a group and make one; set everything right at the end."""
    arn = list_permission_sets(desk.connection)["Ours"]
    desk.sso.update_permission_set(
        **desk.instance, PermissionSetArn=arn, Description="theirs", SessionDuration="PT1H"
    )
    desk.directory.delete_group(**desk.store, GroupId=find_principal_id(desk.connection, "GROUP", "Kept"))
    made = desk.directory.create_group(**desk.store, DisplayName="Theirs")["GroupId"]
    yield
    desk.sso.update_permission_set(
        **desk.instance, PermissionSetArn=arn, Description="ours", SessionDuration="PT1H"
    )
    desk.directory.create_group(**desk.store, DisplayName="Kept")
    desk.directory.delete_group(**desk.store, GroupId=made)


def test_what_is_as_applied_is_no_drift(desk):
    found = desk.drift()
    assert (found.exit_code, "No drift: everything is as the scenario says." in found.output) == (0, True), (
        found.output
    )


@pytest.mark.usefixtures("changed_outside")
def test_drift_is_shown_field_by_field_with_since_when_and_nothing_is_touched(desk):
    found = desk.drift("--page", desk.page)
    assert found.exit_code == 2
    lines = found.output.splitlines()
    (differs,) = (
        number for number, line in enumerate(lines) if line.startswith("≠ differs: permission set Ours")
    )
    run = (desk.runs / "latest").resolve().name
    assert f"run {run}; it was changed outside since" in lines[differs]
    assert [line.strip() for line in lines[differs + 1 : differs + 4]] == [
        "- Description: theirs",
        "+ Description: ours",
        "",
    ]
    assert any(line.startswith("✘ missing: group Kept: we left it as wanted") for line in lines)
    assert "Not in the scenario, left alone: 1 group:\n  Theirs" in found.output
    assert "Drift: 1 missing, 1 different, 1 not in the scenario." in found.output
    assert "≠ Drift" in (page := desk.page.read_text("utf-8"))
    assert ("Description: theirs" in page, "Theirs" in page) == (True, True)
    assert find_principal_id(desk.connection, "GROUP", "Theirs")
    assert find_principal_id(desk.connection, "GROUP", "Kept") is None


@pytest.mark.usefixtures("changed_outside")
def test_programs_get_it_as_json(desk):
    found = desk.drift("--json")
    told = json.loads(found.output)
    assert (found.exit_code, told["drift"], told["unmanaged"]) == (2, True, {"group": ["Theirs"]})
    by_key = {one["key"]: one for one in told["drifted"] if one["what"] == "differs"}
    assert by_key["Ours"]["fields"] == {"description": {"wanted": "ours", "found": "theirs"}}
    assert by_key["Ours"]["receipt_at"]


def test_what_is_not_in_the_scenario_is_drift_only_of_a_complete_one(desk):
    made = desk.directory.create_group(**desk.store, DisplayName="Beside")["GroupId"]
    try:
        assert desk.drift().exit_code == 0
        assert desk.drift("--complete").exit_code == 2
    finally:
        desk.directory.delete_group(**desk.store, GroupId=made)


def test_without_receipts_it_says_so(desk, changed_outside, tmp_path):
    found = desk.drift("--runs", tmp_path)
    assert "permission set Ours: no receipt names it" in found.output
    assert "warning" not in found.output


def test_a_folder_of_runs_that_is_not_there_is_named(desk, changed_outside, tmp_path):
    found = desk.drift("--runs", tmp_path / "rums")
    assert "rums', so no receipts are read" in found.stderr
    assert found.exit_code == 2


def test_what_may_not_be_listed_is_named_and_no_clean_bill(desk, monkeypatch):
    def refuse(_self):
        raise AccessDeniedError("not allowed to identitystore:ListGroups")

    monkeypatch.setattr(Groups, "read_all", refuse)
    found = desk.drift()
    assert found.exit_code == 1
    assert "Could not be looked for:\n  group: not allowed to identitystore:ListGroups" in found.output


def test_a_scenario_that_was_changed_since_is_no_change_from_outside(desk):
    desk.scenario.write_text(
        yaml.safe_dump({**SCENARIO, "groups": [{"display_name": "Ours", "description": "new words"}]}),
        "utf-8",
    )
    try:
        found = desk.drift()
    finally:
        desk.scenario.write_text(yaml.safe_dump(SCENARIO), "utf-8")
    (line,) = (line for line in found.output.splitlines() if "differs: group Ours" in line)
    assert "we left it with other values" in line
    assert line.endswith("the scenario has changed since")


def test_what_an_undo_took_away_is_told_as_that(desk):
    """The last test of this file: what it undoes stays undone."""
    undone = desk.give("undo", (desk.runs / "latest").resolve(), "--yes")
    assert undone.exit_code == 0, undone.output
    lines = desk.drift().output.splitlines()
    assert any(
        line.startswith("✘ missing: group Ours: an undo of ours took it away or set it back: ")
        for line in lines
    )
