"""`idc plan`, `idc apply` and `idc drift` on AWS: who may do what, where, and what is really sent."""

import json

import pytest
from stub_transport import ACCOUNT_ID, CALLER_XML, INSTANCE, MEMBER_ID, ROLE_XML, Refusal, simulated
from typer.testing import CliRunner

from idc_aws.errors import ApplyRefusedError, InstanceNotFoundError, KitError, WrongAccountError
from idc_runner.cli.application import app


class Directory:
    """Holds groups as the identity store does."""

    def __init__(self, transport, **groups):
        self.groups = dict(groups)
        transport.on("ListGroups", lambda _request: {"Groups": [self.entry(name) for name in self.groups]})
        transport.on("GetGroupId", self.find)
        transport.on("DescribeGroup", lambda request: self.entry(request["GroupId"].removeprefix("g-")))
        transport.on("CreateGroup", self.create)

    def entry(self, name):
        return {"GroupId": f"g-{name}", "DisplayName": name, "Description": self.groups[name]}

    def find(self, request):
        name = request["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"]
        return {"GroupId": f"g-{name}"} if name in self.groups else Refusal("ResourceNotFoundException")

    def create(self, request):
        self.groups[request["DisplayName"]] = request.get("Description")
        return {"GroupId": f"g-{request['DisplayName']}", "IdentityStoreId": request["IdentityStoreId"]}


@pytest.fixture
def idc(tmp_path, transport):
    """Return a function that gives a command on a scenario of two groups, one of which is there."""
    transport.on("GetRole", ROLE_XML)
    transport.on("SimulatePrincipalPolicy", simulated())

    def give(*arguments, expected_account=ACCOUNT_ID, region="us-east-1", more=()):
        lines = ["target: aws", f"region: {region}", f"expected_account: '{expected_account}'", "groups:"]
        lines += ["- {display_name: There, description: ours}", "- {display_name: New, description: ours}"]
        lines += more
        file = tmp_path / "company.yaml"
        file.write_text("\n".join(lines if expected_account else [*lines[:2], *lines[3:]]) + "\n", "utf-8")
        words = {
            "{scenario}": str(file),
            "{plan}": str(tmp_path / "plan.json"),
            "{runs}": str(tmp_path / "runs"),
        }
        return CliRunner().invoke(app, [words.get(one, one) for one in arguments], prog_name="idc")

    return give


PLAN = ("plan", "-f", "{scenario}", "--only", "06", "--out", "{plan}")
APPLY = ("apply", "{plan}", "--out", "{runs}")


def test_a_plan_is_carried_out_with_the_calls_that_it_needs_and_a_receipt(idc, transport, tmp_path):
    directory = Directory(transport, There="ours")
    planned = idc(*PLAN)
    assert planned.exit_code == 2, planned.output
    assert "1 to create, 1 unchanged." in planned.output
    assert "Permissions" not in planned.output
    assert "CreateGroup" not in transport.names()
    applied = idc(*APPLY)
    assert applied.exit_code == 0, applied.output
    assert [one["DisplayName"] for one in transport.made("CreateGroup")] == ["New"]
    assert directory.groups == {"There": "ours", "New": "ours"}
    lines = (tmp_path / "runs" / "latest" / "receipts.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["started", "done"]
    assert idc(*APPLY).exit_code == 0
    assert len(transport.made("CreateGroup")) == 1


def test_rights_that_are_missing_are_named_before_anything_is_written(idc, transport):
    Directory(transport)
    transport.on("SimulatePrincipalPolicy", simulated("identitystore:CreateGroup"))
    assert "Permissions that the caller lacks:\n  identitystore:CreateGroup\n" in idc(*PLAN).output
    root = (
        CALLER_XML.format(account=ACCOUNT_ID)
        .replace(":sts:", ":iam:")
        .replace("assumed-role/Admin/ana", "root")
    )
    transport.on("GetCallerIdentity", root)  # IAM simulates no root user
    assert "Permissions that could not be asked about:" in idc(*PLAN).output


@pytest.mark.parametrize(
    ("expected", "words"),
    [("", "do not say which account to change"), (MEMBER_ID, f"expect account '{MEMBER_ID}'")],
)
def test_it_writes_only_in_the_account_that_the_scenario_expects(idc, transport, expected, words):
    Directory(transport)
    assert idc(*PLAN, expected_account=expected).exit_code == 2
    refused = idc(*APPLY)
    assert isinstance(refused.exception, WrongAccountError)
    assert words in str(refused.exception)
    assert "CreateGroup" not in transport.names()


def test_credentials_of_another_account_are_refused(idc, transport):
    Directory(transport)
    idc(*PLAN)
    transport.from_account(MEMBER_ID)
    refused = idc(*APPLY)
    assert isinstance(refused.exception, ApplyRefusedError)
    assert f"- account: {ACCOUNT_ID} → {MEMBER_ID}" in str(refused.exception)
    assert "CreateGroup" not in transport.names()


def test_another_region_is_refused_with_the_right_one(idc, transport):
    Directory(transport)

    def instances(request):
        return {"Instances": [INSTANCE] if request.get("RegionScope") else []}

    transport.on("ListInstances", instances)
    refused = idc(*PLAN, region="eu-west-1")
    assert isinstance(refused.exception, InstanceNotFoundError)
    assert "There is one in us-east-1" in str(refused.exception)


def test_without_an_instance_the_plan_says_later_and_is_not_applied(idc, transport):
    Directory(transport)
    transport.on("ListInstances", {"Instances": []})
    planned = idc(*PLAN)
    assert "Later: there is no instance yet." in planned.output
    assert "2 to create." in planned.output
    refused = idc(*APPLY)
    assert isinstance(refused.exception, InstanceNotFoundError)
    assert "it makes none" in str(refused.exception)


def test_outside_of_an_organization_and_throttled_it_plans_all_the_same(idc, transport):
    Directory(transport, There="ours")
    transport.on("DescribeOrganization", Refusal("AWSOrganizationsNotInUseException"))
    transport.on("ListInstances", Refusal("ThrottlingException"), {"Instances": [INSTANCE]})
    transport.on("ListPermissionSets", {"PermissionSets": []})
    planned = idc(*PLAN)
    assert planned.exit_code == 2, planned.exception


def test_a_refused_write_leaves_a_page_that_says_so_and_no_open_receipt(idc, transport, tmp_path):
    Directory(transport)
    idc(*PLAN)
    transport.on("CreateGroup", Refusal("AccessDeniedException", "not authorized"))
    failed = idc(*APPLY)
    assert failed.exit_code == 1
    assert "2 not done" in failed.output
    assert "identitystore:CreateGroup" in failed.output
    folder = tmp_path / "runs" / "latest"
    assert "✘ Failed" in (folder / "index.html").read_text("utf-8")
    assert json.loads((folder / "receipts.jsonl").read_text("utf-8").splitlines()[-1])["status"] == "refused"


def test_drift_names_what_is_not_in_the_scenario_and_what_may_not_be_listed(idc, transport):
    Directory(transport, There="theirs", New="ours", Others="x")
    drift = ("drift", "-f", "{scenario}", "--only", "06", "--runs", "{runs}")
    found = idc(*drift)
    assert found.exit_code == 2, found.exception
    assert "- Description: theirs" in found.output
    assert "left alone: 1 group:\n  Others" in found.output
    transport.on("ListGroups", Refusal("AccessDeniedException"))
    again = idc(*drift)
    assert again.exit_code == 2, again.exception
    assert "Could not be looked for:\n  group: " in again.output
    assert not isinstance(again.exception, KitError)


ATTESTED = """
attestations:
- setting: sessions
  value: {user_interactive: PT8H, user_background: P7D}
  by: ana
  "on": 2026-11-01
  seen: 8 hours and 7 days on the Authentication tab
""".splitlines()


def test_what_only_a_person_can_do_is_left_to_them_and_what_they_attested_counts(idc, transport):
    Directory(transport)
    words = [word if word != "06" else "03,06" for word in PLAN]
    planned = idc(*words, more=ATTESTED)
    assert "2 to create, 2 by hand, 1 unchanged." in planned.output
    assert (
        "By hand, in the AWS console:\n  Standard authentication\n  Multi-factor authentication"
        in planned.output
    )
    applied = idc(*APPLY)
    assert applied.exit_code == 0, applied.output
    assert "2 done; 3 checks, 0 failed." in applied.output
    assert idc(*words, more=ATTESTED).exit_code == 2  # for a person, there is something to do
    drift = ("drift", "-f", "{scenario}", "--only", "03,06", "--runs", "{runs}")
    found = idc(*drift, more=ATTESTED)
    assert found.exit_code == 0, found.output
    assert "No API shows it, and nobody has attested it:\n  Standard authentication\n" in found.output


def test_an_accounts_own_instance_is_not_asked_for_what_it_never_has(idc, transport):
    Directory(transport, There="ours", New="ours", Others="x")
    transport.on("ListInstances", {"Instances": [INSTANCE | {"OwnerAccountId": MEMBER_ID}]})
    transport.from_account(MEMBER_ID)
    drift = ("drift", "-f", "{scenario}", "--only", "05,06", "--runs", "{runs}")
    found = idc(*drift, more=["instance: {kind: account}"])
    assert found.exit_code == 0, found.exception
    assert "No drift: 1 not in the scenario." in found.output
    assert "ListPermissionSets" not in transport.names()
