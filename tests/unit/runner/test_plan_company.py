"""A generated company, planned, applied from the file and looked at again: each thing is read once."""

import re
from collections import Counter

import pytest
import yaml
from companies import MANAGEMENT, Company, MemoryClients
from typer.testing import CliRunner

from idc_aws.calls import Timing
from idc_runner.cli.application import app
from idc_runner.plans.document import read_plan

WRITES = ("Create", "Update", "Delete", "Attach", "Put")


class CompanyClients(MemoryClients):
    """Also answers what a plan asks of IAM."""

    def do_simulate_principal_policy(self, ActionNames, **_):
        return [{"EvalActionName": action, "EvalDecision": "allowed"} for action in ActionNames]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Return a function that gives a command and returns the exit status and the calls that it made."""
    company = Company(accounts=4, permission_sets=3, groups=4, users=30, assignments=20)
    file = tmp_path / "company.yaml"
    file.write_text(yaml.safe_dump(company.scenario), "utf-8")
    clients = CompanyClients(company.account_ids)

    def connect(**_options):
        connection = company.connection(clients)
        connection.timing = Timing(lambda: 0.0, lambda _seconds: None, lambda: 1.0)
        return connection

    for module in ("making", "carrying"):
        monkeypatch.setattr(f"idc_runner.plans.{module}.connect", connect)

    def give(*words):
        before = Counter(clients.calls)
        named = {"FILE": str(file), "PLAN": str(tmp_path / "plan.json"), "RUNS": str(tmp_path / "runs")}
        done = CliRunner().invoke(app, [named.get(word, word) for word in words], prog_name="idc")
        return done, clients.calls - before

    give.plan_file = tmp_path / "plan.json"
    return give


def test_a_company_is_planned_applied_exactly_and_found_unchanged_with_one_read_of_each_thing(desk):
    options = ("-f", "FILE", "--only", "05,06,07,08")
    planned, calls = desk("plan", *options, "--out", "PLAN")
    assert planned.exit_code == 2, planned.exception
    assert not [name for name in calls if name.partition(":")[2].startswith(WRITES)]
    plan = read_plan(desk.plan_file)
    assert plan.place.account_id == MANAGEMENT
    applied, calls = desk("apply", "PLAN", "--out", "RUNS")
    assert applied.exit_code == 0, applied.output
    said = int(re.search(r"([\d,]+) calls", plan.effort)[1].replace(",", ""))
    assert 0.85 * said <= calls.total() <= 1.05 * said, (plan.effort, calls)
    made = Counter(
        {name: number for name, number in calls.items() if name.partition(":")[2].startswith("Create")}
    )
    assert sum(made.values()) == len(plan.plan.writes) == plan.plan.counts()["create"]
    again, calls = desk("plan", *options)
    assert again.exit_code == 0, again.output
    # The same lists serve all four notebooks.
    lists = ("ListGroups", "ListUsers", "ListPermissionSets", "ListInstances", "DescribeOrganization")
    assert {
        name: number for name, number in calls.items() if name.partition(":")[2] in lists and number > 1
    } == {}
    drift, calls = desk("drift", *options, "--runs", "RUNS", "--complete")
    assert drift.exit_code == 0, drift.output
    assert calls["sso-admin:GetInlinePolicyForPermissionSet"] == 3
