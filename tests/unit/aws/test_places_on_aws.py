"""`idc plan`, `apply`, `drift`, `import` on an AWS of some size: throttled, refused, delegated, elsewhere."""

from collections import Counter

import pytest
import yaml
from botocore.exceptions import ClientError
from companies import Company, MemoryClients
from stub_transport import ACCOUNT_ID, INSTANCE, MEMBER_ID, ROLE_XML, Refusal, simulated
from typer.testing import CliRunner

from idc_runner.cli.application import app

COMPANY = Company(accounts=2, permission_sets=2, groups=2, users=3, assignments=3, groups_of_a_user=1)
SERVICES = ("sso-admin", "identitystore", "organizations")


class Aws:
    """An AWS in memory behind the stub, which may refuse an operation, in part or for once."""

    def __init__(self, transport):
        self.transport, self.refuses = transport, lambda _operation, _request: None
        self.memory = MemoryClients([ACCOUNT_ID, MEMBER_ID, *COMPANY.account_ids])
        for service in SERVICES:
            self._answer_all_of(service)
        transport.on("ListInstances", {"Instances": [INSTANCE]})
        transport.on("DescribeOrganization", {"Organization": {"Id": "o-1", "MasterAccountId": ACCOUNT_ID}})
        transport.on("ListDelegatedAdministrators", {"DelegatedAdministrators": []})
        transport.on(
            "DescribeInstanceAccessControlAttributeConfiguration", Refusal("ResourceNotFoundException")
        )
        transport.on("GetRole", ROLE_XML)
        transport.on("SimulatePrincipalPolicy", simulated())

    def _answer_all_of(self, service):
        for name in dir(self.memory):
            method_name = name.removeprefix("do_")
            if name == method_name or method_name in ("list_instances", "describe_organization"):
                continue
            try:
                model = self.memory.operation(service, method_name)
            except KeyError:
                continue
            members = model.output_shape.members.items() if model.output_shape else ()
            field = next((member for member, shape in members if shape.type_name == "list"), "")
            self.transport.on(model.name, self._answering(model.name, getattr(self.memory, name), field))

    def _answering(self, operation, do, field):
        def answer(request):
            if refusal := self.refuses(operation, request):
                return refusal
            try:
                found = do(**request)
            except ClientError as error:
                return Refusal(error.response["Error"]["Code"])
            if not isinstance(found, dict):
                return {} if found is None else {field: list(found)}
            return {field if name == "Statuses" else name: value for name, value in found.items()}

        return answer

    def deny(self, *operations):
        self.refuses = lambda operation, _: (
            Refusal("AccessDeniedException", f"not authorized to perform: {operation}")
            if operation in operations
            else None
        )

    def counts(self):
        memory = self.memory
        return (
            len(memory.permission_sets),
            len(memory.groups),
            len(memory.users),
            len(memory.memberships),
            sum(map(len, memory.assignments.values())),
        )


@pytest.fixture
def aws(transport):
    return Aws(transport)


@pytest.fixture
def idc(tmp_path, monkeypatch):
    """Return a function that gives a command; `more` changes the company's scenario."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-its-own")  # people's addresses hold "example"

    def give(*words, more=()):
        scenario = COMPANY.scenario | dict(more)
        (tmp_path / "company.yaml").write_text(yaml.safe_dump(scenario), "utf-8")
        return CliRunner().invoke(app, list(words), prog_name="idc")

    return give


OPTIONS = ("-f", "company.yaml", "--only", "05,06,07,08")
PLAN, APPLY = ("plan", *OPTIONS, "--out", "plan.json"), ("apply", "plan.json", "--out", "runs")
DRIFT, IMPORT = ("drift", *OPTIONS, "--runs", "runs"), ("import", "--target", "aws", "-o", "found.yaml")
WHOLE = (2, 2, 3, 3, 3)


def apply_company(idc):
    assert idc(*PLAN).exit_code == 2
    applied = idc(*APPLY)
    assert applied.exit_code == 0, applied.output


def test_throttled_everywhere_all_of_it_still_comes_to_the_same(aws, idc, clock):
    throttled = Counter()

    def once(operation, _request):
        throttled[operation] += 1
        return Refusal("ThrottlingException", "Rate exceeded") if throttled[operation] == 1 else None

    aws.refuses = once
    apply_company(idc)
    assert aws.counts() == WHOLE  # nothing is made twice
    assert clock.slept  # it waits before it asks again
    throttled.clear()
    assert idc(*PLAN).exit_code == 0
    throttled.clear()
    drift = idc(*DRIFT)
    assert drift.exit_code == 0, drift.output
    throttled.clear()
    imported = idc(*IMPORT)
    assert imported.exit_code == 0, imported.output
    assert "2 permission sets, 2 groups, 3 users, 3 account assignments" in imported.output


def test_a_table_of_people_goes_to_aws_as_a_scenario_does(aws, idc, tmp_path):
    apply_company(idc)
    (tmp_path / "people.csv").write_text(
        "user_name,given_name,family_name,email,groups\nnew,New,Person,new@corp.test,Team 001\n", "utf-8"
    )
    made = idc("table", "to-scenario", "--users", "people.csv", "-o", "people.yaml")
    assert made.exit_code == 0, made.output
    text = (tmp_path / "people.yaml").read_text("utf-8")
    (tmp_path / "people.yaml").write_text(f"target: aws\nexpected_account: '{ACCOUNT_ID}'\n{text}", "utf-8")
    planned = idc("plan", "-f", "people.yaml", "--only", "08", "--out", "plan.json")
    assert "2 to create." in planned.output, planned.exception
    assert idc(*APPLY).exit_code == 0
    assert aws.counts() == (2, 2, 4, 4, 3)


# Operation, command, exit status, and what is said; nothing is written by any.
MISSING = [
    ("ListPermissionSets", PLAN, 1, "ListPermissionSets"),
    ("ListManagedPoliciesInPermissionSet", PLAN, 1, "ListManagedPoliciesInPermissionSet"),
    ("ListAccountAssignments ListAccountAssignmentsForPrincipal", PLAN, 1, "ListAccountAssignments"),
    ("ListUsers", PLAN, 0, "Nothing to do"),
    ("ListUsers GetUserId", PLAN, 1, "GetUserId"),
    ("ListAccounts", PLAN, 0, "Nothing to do"),
    ("ListAccountsForProvisionedPermissionSet", DRIFT, 1, "ListAccountsForProvisionedPermissionSet"),
    ("ListUsers", DRIFT, 1, "Could not be looked for"),
    ("ListGroupMemberships", DRIFT, 1, "Could not be looked for"),
    ("ListUsers", IMPORT, 1, "could not be read: users"),
    ("ListGroups", IMPORT, 1, "could not be read: groups"),
    ("ListAccountAssignments ListAccountAssignmentsForPrincipal", IMPORT, 1, "account assignments"),
]


@pytest.mark.parametrize(("operations", "command", "status", "words"), MISSING)
def test_a_right_that_is_missing_is_named_and_nothing_is_written(
    aws, idc, transport, operations, command, status, words
):
    apply_company(idc)
    transport.calls.clear()
    aws.deny(*operations.split())
    given = idc(*command)
    assert (given.exit_code, transport.writes()) == (status, []), given.output
    assert words in f"{given.output} {given.exception}"


class Delegate:
    """What AWS refuses to a delegated administrator."""

    def __init__(self, aws, theirs=()):
        aws.transport.from_account(MEMBER_ID)
        aws.refuses, self.theirs = self.refusal, theirs

    def refusal(self, operation, request):
        is_write = not operation.startswith(("List", "Describe", "Get"))
        is_theirs = request.get("PermissionSetArn") in self.theirs or request.get("TargetId") == ACCOUNT_ID
        if operation == "ListAccountAssignmentsForPrincipal" or (is_write and is_theirs):
            return Refusal("AccessDeniedException", "not authorized")
        return None


def with_access_to_the_management_account():
    row = {"group": "Team 000", "permission_set": "Access000", "accounts": [ACCOUNT_ID]}
    return {
        "expected_account": MEMBER_ID,
        "account_assignments": [row, *COMPANY.scenario["account_assignments"]],
    }


def test_a_delegated_administrator_does_all_but_what_is_the_management_accounts(aws, idc):
    Delegate(aws)
    more = with_access_to_the_management_account()
    planned = idc(*PLAN, more=more)
    assert planned.exit_code == 2, planned.exception
    assert "13 to create, 1 skipped." in planned.output
    assert f"only account {ACCOUNT_ID} itself, the management account" in planned.output
    applied = idc(*APPLY)
    assert applied.exit_code == 0, applied.output
    assert aws.counts() == WHOLE
    assert idc(*PLAN, more=more).exit_code == 0
    drift = idc(*DRIFT, more=more)
    assert drift.exit_code == 0, drift.exception
    imported = idc(*IMPORT)
    assert imported.exit_code == 0, imported.output
    assert "3 account assignments" in imported.output


def test_a_set_that_the_management_account_uses_is_refused_with_what_to_do_and_left_as_it_was(aws, idc):
    apply_company(idc)
    before = aws.memory.permission_sets
    Delegate(aws, list(before))
    sets = [{**one, "description": "Another"} for one in COMPANY.scenario["permission_sets"]]
    planned = idc(*PLAN, more={"expected_account": MEMBER_ID, "permission_sets": sets})
    assert "2 to update, 11 unchanged." in planned.output, planned.exception
    applied = idc(*APPLY)
    assert applied.exit_code == 1
    assert "A delegated administrator cannot change what is used in the management account" in applied.output
    assert {one["described"]["Description"] for one in before.values()} == {
        "Access Access000",
        "Access Access001",
    }


COMMANDS = {"plan": PLAN, "drift": DRIFT, "import": IMPORT}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_in_another_region_each_says_where_there_is_one(aws, idc, transport, command):
    transport.on(
        "ListInstances", lambda request: {"Instances": [INSTANCE] if request.get("RegionScope") else []}
    )
    region = ["--region", "eu-west-1"] if command is IMPORT else []
    given = idc(*command, *region, more={"region": "eu-west-1"})
    assert given.exit_code == 1
    assert "There is one in us-east-1" in f"{given.output} {given.exception}"
    assert transport.writes() == []


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_an_accounts_own_instance_has_people_and_no_access(aws, idc, transport, command):
    transport.from_account(MEMBER_ID)
    transport.on("ListInstances", {"Instances": [INSTANCE | {"OwnerAccountId": MEMBER_ID}]})
    transport.on("DescribeOrganization", Refusal("AWSOrganizationsNotInUseException"))
    only_here = Refusal("ValidationException", "This operation is not supported for account instances")
    aws.refuses = lambda operation, request: (
        only_here if "PermissionSet" in operation or "Assignment" in operation else None
    )
    more = {name: COMPANY.scenario[name] for name in ("target", "groups", "users")}
    more |= {"instance": {"kind": "account"}, "permission_sets": [], "account_assignments": []}
    given = idc(*command, more=more)
    assert given.exit_code == {"plan": 2, "drift": 2, "import": 0}[command[0]], given.exception
    assert set(transport.writes()) <= {"SimulatePrincipalPolicy"}  # IAM is asked what the caller may do
