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
def desk(tmp_path, monkeypatch, request):
    """Return a function that gives a command and returns the exit status and the calls that it made."""
    small = Company(accounts=4, permission_sets=3, groups=4, users=30, assignments=20)
    company = getattr(request, "param", small)
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

    give.plan_file, give.clients = tmp_path / "plan.json", clients
    give.scenario, give.scenario_file = company.scenario, file
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


# Where reading a part takes other calls than reading all of it.
WHOLE = {
    "few groups have all": Company(accounts=4, permission_sets=3, groups=2, users=30, assignments=20),
    "many have few": Company(accounts=3, permission_sets=2, groups=40, users=20, assignments=9),
}


@pytest.mark.parametrize("desk", WHOLE.values(), ids=WHOLE, indirect=True)
def test_drift_reads_assignments_and_memberships_once(desk):
    options = ("-f", "FILE", "--only", "05,06,07,08")
    desk("plan", *options, "--out", "PLAN")
    assert desk("apply", "PLAN", "--out", "RUNS")[0].exit_code == 0
    clients = desk.clients
    group = next(iter(clients.groups))
    for number in range(150):  # others, in a group of the scenario's
        user = clients.do_create_user(UserName=f"other{number}", DisplayName="Other", Name={})
        clients.do_create_group_membership(MemberId=user, GroupId=group)
    drift, calls = desk("drift", *options, "--runs", "RUNS")
    assert drift.exit_code == 0, drift.output
    assert "150 group memberships" in drift.output
    by_principal = calls["sso-admin:ListAccountAssignmentsForPrincipal"]
    by_pair = calls["sso-admin:ListAccountAssignments"]
    principals = len(clients.users) + len(clients.groups)
    assert by_principal + by_pair == min(principals, len(clients.assignments))
    members = Counter(group for _, group in clients.memberships)
    pages = sum(max(1, -(-members[group] // 100)) for group in clients.groups)
    assert calls["identitystore:ListGroupMemberships"] == pages
    assert not calls["identitystore:IsMemberInGroups"] + calls["identitystore:GetGroupMembershipId"]


TINY = Company(accounts=1, permission_sets=1, groups=1, users=1, assignments=1, groups_of_a_user=1)
DIRECT = {"user": "person00000", "permission_set": "Access000", "accounts": ["500000000000"]}
# What the kit may write, what one plan and one apply of it leave, and what is said of the rest.
PROVISIONED = {
    "by the kit": (None, {"create": 6}, ""),
    "all by SCIM": ([], {"create": 1, "skipped": 5}, "group 'Team 000' does not exist yet and comes from"),
    "people by SCIM": (
        ["groups", "memberships"],
        {"create": 3, "skipped": 3},
        "user 'person00000' does not exist yet and comes from the identity provider (SCIM)",
    ),
}


@pytest.mark.parametrize("desk", [TINY], indirect=True, ids=["tiny"])
@pytest.mark.parametrize(("writes", "counts", "words"), PROVISIONED.values(), ids=PROVISIONED)
def test_an_empty_instance_takes_one_plan_and_one_apply(desk, writes, counts, words):
    scenario = {
        **desk.scenario,
        "account_assignments": [*desk.scenario["account_assignments"], DIRECT],
    }
    if writes is not None:
        scenario["identity_source"] = {
            "type": "external_identity_provider",
            "provisioning_method": "scim",
            "kit_writes": writes,
        }
    desk.scenario_file.write_text(yaml.safe_dump(scenario), "utf-8")
    options = ("-f", "FILE", "--only", "05,06,07,08")
    planned, _ = desk("plan", *options, "--out", "PLAN")
    plan = read_plan(desk.plan_file)
    assert {name: number for name, number in plan.plan.counts().items() if number} == counts
    assert words in planned.output
    assert "apply notebook 08" not in planned.output  # one plan makes both, or SCIM makes the user
    applied, _ = desk("apply", "PLAN", "--out", "RUNS")
    assert applied.exit_code == 0, applied.output
    again, _ = desk("plan", *options)
    assert again.exit_code == 0, again.output
