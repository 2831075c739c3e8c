"""A company that is there already: every step is as wanted, and what a notebook shows of it stays small."""

from __future__ import annotations

import io
import json
from pathlib import Path

import forked_sandboxes
import pytest
import yaml
from companies import Company
from company_seed import SUSPENDED, nested_organization, seed_company

from idc_aws.connection import connect
from idc_aws.organization import list_accounts_with_paths
from idc_aws.project import STATE_VARIABLE
from idc_aws.sandbox import stop_sandbox
from idc_aws.scenario.reading import load_scenario
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_runner.fast.engine import open_engine
from idc_runner.run import RunRequest, run_lesson
from idc_sandbox.state_folder import StateFolder

KIT = Path(__file__).resolve().parents[2]
# 70 people in two groups each are 210 rows, a few more than a cell shows whole.
COMPANY = Company(accounts=13, permission_sets=3, groups=4, users=70, assignments=20)


@pytest.fixture(scope="module")
def company(tmp_path_factory, no_aws_of_the_user):
    """Return the scenario file of a company that a running sandbox holds, and the sandbox's state."""
    folder = tmp_path_factory.mktemp("company")
    values = {**COMPANY.scenario, "target": "sandbox"}
    del values["expected_account"]
    file = folder / "company.yaml"
    file.write_text(yaml.safe_dump(values), "utf-8")
    seed_company(folder / "state", values, nested_organization(COMPANY.account_ids))
    forked_sandboxes.start(StateFolder(folder / "state"), seed=None)
    yield file, folder / "state"
    stop_sandbox(folder / "state")


def test_every_step_of_a_company_that_is_there_is_as_wanted(company, tmp_path):
    file, state = company
    connection = connect(state_folder=state)
    context = RunContext(connection, load_scenario(file), "apply", "x", tmp_path / "run")
    for name, number in (("permission_sets", 3), ("groups", 4), ("users", 210), ("account_assignments", 20)):
        plan = Step(context, name).compare()
        assert plan.counts() == {"create": 0, "update": 0, "delete": 0, "unchanged": number}, name
    accounts = {account.account_id: account for account in list_accounts_with_paths(connection)}
    assert len(accounts) == 15
    assert (accounts[SUSPENDED].status, accounts[SUSPENDED].path) == ("SUSPENDED", "Root/Suspended")
    assert accounts[COMPANY.account_ids[12]].path == "Root/Platform/Team 2"


def test_a_notebook_of_a_company_shows_its_first_rows_and_links_to_the_whole_masked(
    company, tmp_path, monkeypatch
):
    file, state = company
    monkeypatch.setenv(STATE_VARIABLE, str(state))
    request = RunRequest(
        KIT, scenario_file=file, only=("08",), mode="plan", runs=tmp_path / "runs", mask_personal_data=True
    )
    with open_engine("fast") as engine:
        outcome = run_lesson(request, io.StringIO(), engine)
    assert outcome.summary.passed
    names = {path.name for path in (outcome.folder / "tables").iterdir()}
    assert {"08_users-users_wanted.csv", "08_users-users_plan.json"} <= names
    rows = json.loads((outcome.folder / "tables" / "08_users-users_plan.json").read_text("utf-8"))
    assert len(rows) == 210
    assert {row["action"] for row in rows} == {"unchanged"}
    notebook = outcome.folder / "notebooks" / "08_users.ipynb"
    assert notebook.stat().st_size < 350_000
    report = (outcome.folder / "index.html").read_text("utf-8")
    page = notebook.with_suffix(".html").read_text("utf-8")
    assert 'href="tables/08_users-users_plan.csv"' in report
    assert 'href="../tables/08_users-users_plan.csv"' in page
    assert "These are 50 of 210 rows" in page
    written = [path for path in outcome.folder.rglob("*") if path.is_file() and path.name != "receipts.jsonl"]
    for path in written:
        assert "Family7" not in path.read_text("utf-8"), path
