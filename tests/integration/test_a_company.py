"""A company that has Identity Center already, by the commands: from its first import to its last undo."""

from __future__ import annotations

import json

import pytest
import yaml
from companies import Company
from typer.testing import CliRunner

from idc_aws.access import list_all_account_assignments
from idc_aws.connection import connect
from idc_aws.groups import Groups
from idc_aws.project import project_folder
from idc_aws.sandbox import sandbox_of_its_own
from idc_aws.scenario.reading import validate_scenario
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_runner.cli.application import app

ORGANIZATION = project_folder() / "recipes" / "organization.yaml"
NOTEBOOKS = "05,06,07,08"
NEW_PEOPLE = """\
User name;First name;Last name;E-mail;Groups
new.one@example.com;New;One;new.one@example.com;Team 001
new.two@example.com;New;Two;new.two@example.com;"Team 001;Team 002"
"""


def made_by_others() -> dict:
    """Return the scenario of a small company, in the accounts of the organization's file."""
    values = Company(permission_sets=4, groups=5, users=12, assignments=0).scenario
    assignments = [
        {"group": f"Team {number:03d}", "permission_set": f"Access{number % 4:03d}", "accounts": [account]}
        for number, account in enumerate(("Shop", "Payments", "Shop development", "Network", "Shop"))
    ]
    return values | {"target": "sandbox", "expected_account": None, "account_assignments": assignments}


@pytest.fixture(scope="module")
def company(tmp_path_factory, models_are_parsed_once):
    """A sandbox with an organization of a file, in which others have made everything."""
    folder = tmp_path_factory.mktemp("company")
    with (
        sandbox_of_its_own(folder / "state", organization=ORGANIZATION),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("IDC_SANDBOX_STATE", str(folder / "state"))
        connection = connect(state_folder=folder / "state")
        connection.console.enable_organization_instance(region="us-east-1")
        run = RunContext(
            connection, validate_scenario(made_by_others()), "apply", "others", folder / "others"
        )
        for name in ("permission_sets", "groups", "users", "account_assignments"):
            Step(run, name).apply()
        yield folder, connection


def test_the_recipes_company_is_made_in_the_recipes_organization(tmp_path):
    """The command of docs/sandbox.md, without the person's half of the lesson."""
    scenario = ORGANIZATION.with_name("company.yaml")
    given = ["--fresh-sandbox", "--organization", str(ORGANIZATION), "-f", str(scenario)]
    done = CliRunner().invoke(
        app, ["run", *given, "--only", "01,05,06,07,08", "--out", str(tmp_path / "run")]
    )
    assert done.exit_code == 0, done.output
    summary = tmp_path / "run" / "latest" / "summary.json"
    notebooks = json.loads(summary.read_text("utf-8"))["notebooks"]
    assert sum(each["changes"]["create"] for each in notebooks) == 21


def test_a_company_is_imported_changed_approved_applied_watched_and_put_back(company):
    folder, connection = company
    scenario, plan, runs, people = (
        folder / name for name in ("company.yaml", "plan.json", "runs", "people.yaml")
    )

    def give(*arguments, status):
        done = CliRunner().invoke(app, [str(one) for one in arguments], prog_name="idc")
        assert done.exit_code == status, done.output
        return done.output

    def access():
        return {row[:5] for row in list_all_account_assignments(connection)}

    give("import", "-o", scenario, status=0)
    before, text = access(), scenario.read_text("utf-8")
    assert len(before) == 5
    assert "unchanged" in give("plan", "-f", scenario, status=0)

    (folder / "staff.csv").write_text(NEW_PEOPLE, "utf-8-sig")
    give("table", "to-scenario", "--users", folder / "staff.csv", "-o", people, status=0)
    values = yaml.safe_load(text)
    added = yaml.safe_load(people.read_text("utf-8"))
    values["users"] += added["users"]
    values["account_assignments"].append(
        {
            "group": "Team 001",
            "permission_set": "Access000",
            "organizational_units": ["Production", "Suspended"],
        }
    )
    scenario.write_text(yaml.safe_dump(values, sort_keys=False), "utf-8")

    planned = give("plan", "-f", scenario, "--only", NOTEBOOKS, "--out", plan, status=2)
    for words in ("user new.one@example.com", "Team 001 · Access000 · Payments", "Old web site"):
        assert words in planned
    assert access() == before
    give("apply", plan, "--out", runs, status=0)
    gained = {(row[1], row[2], row[4]) for row in access() - before}
    assert gained == {("Team 001", "Access000", "Shop"), ("Team 001", "Access000", "Payments")}
    assert "unchanged" in give("plan", "-f", scenario, "--only", NOTEBOOKS, status=0)
    options = ("-f", scenario, "--only", NOTEBOOKS, "--runs", runs)
    give("drift", *options, status=0)

    (group_id,) = Groups(connection).identifiers(["Team 001"]).values()
    operation = {"AttributePath": "description", "AttributeValue": "changed by hand"}
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    directory = connection.client("identitystore")
    directory.update_group(**store, GroupId=group_id, Operations=[operation])
    drifted = give("drift", *options, status=2)
    assert "changed by hand" in drifted
    assert "Team 001" in drifted
    was = next(group.get("description") for group in values["groups"] if group["display_name"] == "Team 001")
    back = operation | {"AttributeValue": was} if was else {"AttributePath": "description"}
    directory.update_group(**store, GroupId=group_id, Operations=[back])

    give("undo", (runs / "latest").resolve(), "--yes", status=0)
    assert access() == before
    give("import", "-o", scenario, "--force", status=0)
    assert scenario.read_text("utf-8") == text
