"""An import from AWS: what no API shows, what may not be read, and what a scenario cannot say."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from stub_transport import ACCOUNT_ID, INSTANCE_ARN, MEMBER_ID, Refusal
from typer.testing import CliRunner

from idc_aws.errors import InvalidValueError
from idc_aws.imported_files import MAIN, scenario_texts, write_texts
from idc_aws.importing import Selection, import_scenario
from idc_aws.scenario.reading import load_scenario
from idc_aws.scenario.scenario import Scenario
from idc_helpers.notebook.inventory import Existing
from idc_helpers.runbook.run import RunContext
from idc_runner.cli.application import app

SET = INSTANCE_ARN.replace("instance/", "permissionSet/")
SECRET = "AKIAIOSFODNN7EXAMPL" + "1"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
SETS = {
    "Readers": {"Description": "Look"},
    "Unclear": {"SessionDuration": "PT24H"},
    "Hidden": Refusal("AccessDeniedException"),
    "Tagged": {"RelayState": "ftp://odd"},
}
USERS = {
    "ana": {"GivenName": "Ana", "FamilyName": "Silva"},
    "bot": {"FamilyName": "Only", "GivenName": ""},
    "eve": {"GivenName": "Eve", "FamilyName": "Moss", "Title": f"key {SECRET}"},
}
GROUPS = ("Admins", "admins", "Two\nlines", "Odd\0name", "Administrator")
MEMBERS = {"Admins": ["ana", "bot", "eve"], "admins": ["ana"]}
ASSIGNED = {
    ("GROUP", "Admins"): [("Readers", ACCOUNT_ID), ("Readers", MEMBER_ID), ("Readers", "999988887777")],
    ("USER", "ana"): [("Readers", ACCOUNT_ID)],
}
OTHERS = [f"{number:012}" for number in range(30)]
ACCOUNTS = [
    {"Id": ACCOUNT_ID, "Name": "Management", "Status": "ACTIVE"},
    {"Id": MEMBER_ID, "Name": "Twin", "Status": "ACTIVE"},
    {"Id": "555566667777", "Name": "Twin", "Status": "SUSPENDED"},
]


@pytest.fixture
def company(transport):
    """A small company on the stub: return the stub."""

    def described(request):
        name = request["PermissionSetArn"].rpartition("/")[2]
        found = SETS[name]
        if isinstance(found, Refusal):
            return found
        return {"PermissionSet": {"Name": name, "PermissionSetArn": f"{SET}/{name}", **found}}

    def assigned(request):
        rows = ASSIGNED.get((request["PrincipalType"], request["PrincipalId"].partition("-")[2]), [])
        return {
            "AccountAssignments": [
                {"PermissionSetArn": f"{SET}/{name}", "AccountId": account_id, "PrincipalType": "GROUP",
                 "PrincipalId": request["PrincipalId"]}
                for name, account_id in rows
            ]
        }  # fmt: skip

    def of_pair(request):
        wanted = (request["PermissionSetArn"].rpartition("/")[2], request["AccountId"])
        return {
            "AccountAssignments": [
                {"PrincipalType": kind, "PrincipalId": f"{kind[0].lower()}-{name}"}
                for (kind, name), pairs in ASSIGNED.items()
                if wanted in pairs
            ]
        }

    transport.on("ListPermissionSets", {"PermissionSets": [f"{SET}/{name}" for name in SETS]})
    transport.on("DescribePermissionSet", described)
    transport.on("ListManagedPoliciesInPermissionSet", {"AttachedManagedPolicies": [{"Arn": READ_ONLY}]})
    transport.on(
        "ListCustomerManagedPolicyReferencesInPermissionSet", {"CustomerManagedPolicyReferences": []}
    )
    transport.on("GetInlinePolicyForPermissionSet", {"InlinePolicy": ""})
    transport.on("GetPermissionsBoundaryForPermissionSet", Refusal("ResourceNotFoundException"))
    transport.on("ListTagsForResource", {"Tags": [{"Key": "team", "Value": "a"}]})

    transport.on(
        "ListAccountsForProvisionedPermissionSet",
        lambda request: {
            "AccountIds": [] if "ProvisioningStatus" in request else [ACCOUNT_ID, MEMBER_ID, *OTHERS]
        },
    )
    transport.on("ListAccountAssignmentsForPrincipal", assigned)
    transport.on("ListAccountAssignments", of_pair)
    transport.on("DescribeGroup", lambda request: {**request, "DisplayName": request["GroupId"][2:]})
    transport.on("ListGroups", {"Groups": [{"GroupId": f"g-{name}", "DisplayName": name} for name in GROUPS]})
    transport.on("ListUsers", {"Users": [_user(name) for name in USERS]})
    transport.on("DescribeUser", lambda request: _user(request["UserId"][2:]))
    transport.on(
        "ListGroupMemberships",
        lambda request: {
            "GroupMemberships": [
                {"MemberId": {"UserId": f"u-{name}"}, "MembershipId": "m", "GroupId": request["GroupId"]}
                for name in MEMBERS.get(request["GroupId"][2:], ())
            ]
        },
    )
    transport.on("ListAccounts", {"Accounts": ACCOUNTS})
    transport.on("ListRoots", {"Roots": [{"Id": "r-root", "Name": "Root"}]})
    transport.on(
        "ListOrganizationalUnitsForParent",
        lambda request: {
            "OrganizationalUnits": [{"Id": "ou-root-laboratory", "Name": "Lab"}]
            * (request["ParentId"] == "r-root")
        },
    )
    transport.on(
        "ListAccountsForParent",
        lambda request: {"Accounts": ACCOUNTS[1:2] if request["ParentId"] != "r-root" else ACCOUNTS[::2]},
    )
    transport.on("ListDelegatedAdministrators", {"DelegatedAdministrators": [{"Id": MEMBER_ID}]})
    transport.on("DescribeInstanceAccessControlAttributeConfiguration", Refusal("ResourceNotFoundException"))
    transport.on("ListApplications", {"Applications": [{"Name": "Wiki", "ApplicationArn": "arn:a"}]})
    return transport


def _user(name):
    profile = USERS[name]
    return {
        "UserId": f"u-{name}",
        "UserName": name,
        "DisplayName": name.title(),
        "Name": {key: value for key, value in profile.items() if key.endswith("Name")},
        "Title": profile.get("Title", ""),
    }


def test_what_a_scenario_cannot_say_is_left_out_and_named_and_never_lost(company, connection, tmp_path):
    imported = import_scenario(connection)
    data = imported.data
    assert [one["name"] for one in data["permission_sets"]] == ["Readers", "Tagged"]
    assert "relay_state" not in data["permission_sets"][1]
    assert [one["display_name"] for one in data["groups"]] == ["Admins", "Two\nlines"]
    assert data["groups"][0]["members"] == ["bot"]  # known by name, for it has no first name
    assert {one["user_name"]: one.get("title") for one in data["users"]} == {"ana": None, "eve": None}
    assert data["account_assignments"] == [
        {"permission_set": "Readers", "group": "Admins", "accounts": [MEMBER_ID, "Management"]},
        {"permission_set": "Readers", "user": "ana", "accounts": ["Management"]},
    ]
    assert data["management"] == {"delegated_administrator": MEMBER_ID}  # two accounts are called Twin
    assert imported.unread == {f"permission set '{SET}/Hidden'": "the caller may not read it"}
    remarks = "\n".join(imported.remarks)
    expected = (
        "permission set 'Unclear', session_duration: 'P1D' is not possible",
        "permission set 'Tagged', relay_state: 'ftp://odd' is not a web address",
        "group 'admins', display_name: 'admins' is there already",
        r"group 'Odd\x00name', display_name: 'Odd\x00name' cannot be",
        "group 'Administrator', display_name: 'Administrator' is a name that AWS keeps",
        "user 'bot', given_name: 'given_name' is missing",
        "user 'eve', title: holds what looks like a secret",
        "'Readers' in account 999988887777 for group 'Admins': the account is in the organization no more",
    )
    assert [words for words in expected if words not in remarks] == []
    assert len(imported.remarks) == len(expected) + 1
    write_texts(scenario_texts(imported, tmp_path / "all"))
    texts = {path.name: path.read_text() for path in (tmp_path / "all").iterdir()}
    assert SECRET not in "".join([remarks, *texts.values()])
    assert "# - user 'bot'" in texts["people.yaml"]
    assert "# - permission set 'Unclear'" in texts["permission_sets.yaml"]
    assert "# - 'Readers' in account 999988887777" in texts["access.yaml"]
    scenario = load_scenario(tmp_path / "all" / MAIN)
    assert (scenario.expected_account, scenario.mode_or_default) == (ACCOUNT_ID, "plan")
    assert scenario.groups[1].display_name == "Two\nlines"
    assert "# - permission set 'arn:" in texts[MAIN]  # which may not be read
    assert company.writes() == []
    once = ("ListUsers", "ListGroups", "ListAccounts", "ListPermissionSets")
    assert [company.names().count(each) for each in once] == [1, 1, 1, 1]


def test_what_no_api_shows_is_a_block_to_fill_in(company, connection, tmp_path):
    texts = scenario_texts(import_scenario(connection), tmp_path / "a.yaml")
    text = texts[tmp_path / "a.yaml"]
    assert "# - 'Wiki'" in text
    path = tmp_path / "a.yaml"
    block = text.partition("# attestations:\n")[2].partition("\n\n")[0]
    filled = "attestations:\n" + "\n".join(line.removeprefix("# ") for line in block.splitlines())
    path.write_text(text + "\n" + filled.replace("YYYY-MM-DD", "2026-11-29"))
    assert [one.setting for one in load_scenario(path).attestations] == [
        *("identity_source", "standard_authentication", "multi_factor_authentication", "sessions")
    ]


DENIED = {
    "ListUsers": ({"users"}, "account_assignments"),
    "ListGroups": ({"groups", "memberships"}, "users"),
    "ListGroupMemberships": ({"memberships"}, "users"),
    "ListPermissionSets": ({"permission sets", "account assignments"}, "groups"),
    "ListAccountAssignmentsForPrincipal": (set(), "account_assignments"),
    "ListApplications": ({"applications"}, "users"),
    "ListAccounts": ({"the accounts' names"}, "account_assignments"),
    "ListDelegatedAdministrators": ({"delegated administrators"}, "users"),
    "DescribeInstanceAccessControlAttributeConfiguration": ({"attributes for access control"}, "users"),
}


@pytest.mark.parametrize("operation", DENIED)
def test_what_may_not_be_read_is_named_and_the_rest_is_there(company, connection, operation):
    company.on(operation, Refusal("AccessDeniedException", "not authorized"))
    imported = import_scenario(connection)
    unread, there = DENIED[operation]
    assert unread <= set(imported.unread)
    assert imported.data[there]


SELECTED = {
    "parts": (Selection(only=("groups",)), [], ["Admins", "Two\nlines"], [], 0),
    "a name": (Selection(names=("Read*",)), ["Readers"], [], [], 3),
    "a name of people": (Selection(names=("a?a",)), [], [], ["ana"], 1),
    "an account": (Selection(accounts=(MEMBER_ID,)), ["Readers"], ["Admins"], ["ana", "eve"], 1),
    "a unit": (Selection(units=("Root/Lab",)), ["Readers"], ["Admins"], ["ana", "eve"], 1),
    "tags": (Selection(tags={"team": "a"}), ["Readers"], ["Admins"], ["ana", "eve"], 1),
    "tags that nothing has": (Selection(tags={"team": "b"}), [], [], [], 0),
    "no people": (Selection(personal_data=False), ["Readers", "Tagged"], ["Admins", "Two\nlines"], [], 2),
}


@pytest.mark.parametrize(("selection", "sets", "groups", "users", "rows"), SELECTED.values(), ids=SELECTED)
def test_a_part_of_it(company, connection, selection, sets, groups, users, rows):
    imported = import_scenario(connection, selection)
    data = imported.data
    found = [
        [one[key] for one in data.get(part, ())]
        for part, key in (("permission_sets", "name"), ("groups", "display_name"), ("users", "user_name"))
    ]
    assert found == [sets, groups, users]
    assert imported.counts["account_assignments"] == rows
    if not selection.personal_data:
        written = json.dumps(data) + "\n".join(imported.remarks)
        assert not any(f"{name!r}" in written or f'"{name}"' in written for name in USERS)
        assert "ListGroupMemberships" not in company.names()


def test_a_part_that_does_not_exist_is_refused():
    with pytest.raises(InvalidValueError, match="'people' is no part"):
        Selection(only=("people",))


@pytest.fixture
def idc(company, tmp_path, monkeypatch):
    """Return a function that gives `idc import` on the company, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def give(*arguments):
        return CliRunner().invoke(app, ["import", "--target", "aws", *arguments], prog_name="idc")

    return give


def test_the_command_writes_what_a_plan_reads_and_says_what_comes_next(idc, company):
    company.on("ListPermissionSets", {"PermissionSets": [f"{SET}/Readers"]})
    done = idc("-o", "mine.yaml")
    assert done.exit_code == 0, done.output
    assert "1 permission set, 2 groups, 2 users, 3 account assignments" in done.stdout
    assert done.stdout.endswith("written: mine.yaml\nNext: idc plan -f mine.yaml\n")
    assert "warning: left out: user 'eve', title: holds what looks like a secret" in done.stderr
    text = Path("mine.yaml").read_text()
    assert Path("mine.yaml").stat().st_mode & 0o777 == 0o600, "it holds people"
    calls = len(company.calls)
    for again in (
        idc("-o", "mine.yaml"),
        idc("-o", "mine.yaml", "--only", "groups,nobody"),
        idc("--tag", "env"),
        idc("--only", ""),  # as of a variable that is not set
    ):
        assert isinstance(again.exception, InvalidValueError)
    assert (Path("mine.yaml").read_text(), len(company.calls)) == (text, calls)  # refused before any call
    assert idc("-o", "mine.yaml", "--only", "groups", "--force").exit_code == 0
    assert "users:" not in Path("mine.yaml").read_text()


def test_a_folder_gets_a_file_for_each_topic_and_what_was_not_read_is_the_exit_status(idc):
    done = idc("-o", "mine")
    assert (done.exit_code, sorted(path.name for path in Path("mine").iterdir())) == (
        1,
        ["access.yaml", "people.yaml", "permission_sets.yaml", "scenario.yaml"],
    )
    assert "warning: could not be read: permission set" in done.stderr
    assert len(load_scenario("mine/scenario.yaml").users) == 2


def test_an_account_instance_has_people_alone(company, connection):
    only_here = Refusal("ValidationException", "This operation is not supported for account instances")
    for operation in ("ListPermissionSets", "DescribeInstanceAccessControlAttributeConfiguration"):
        company.on(operation, only_here)
    imported = import_scenario(connection)
    assert imported.unread == {}
    assert set(imported.data) >= {"groups", "users"}


def test_notebook_12_writes_once_and_again_only_when_asked(company, connection, tmp_path, monkeypatch):
    context = RunContext(connection, Scenario(target="aws"), "plan", "12_what_you_have", tmp_path)
    existing = Existing(context)
    assert ("account assignments", "3", "1") in existing.counts().rows
    assert "Could not be read: permission set" in existing.counts().note
    assert len(existing.left_out().rows) == 9
    assert str(existing.save("a.yaml")).startswith("Written: a.yaml (2 permission sets, 2 groups, 2 users")
    existing.save("a.yaml")  # it would stay the same
    (tmp_path / "a.yaml").write_text("mine: true")
    with pytest.raises(InvalidValueError, match="there is already") as caught:
        existing.save("a.yaml")
    assert "replace=True" in caught.value.remedy
    existing.save("a.yaml", replace=True)
    assert load_scenario(tmp_path / "a.yaml").users
    calls = len(company.calls)
    Existing(context).save("a.yaml")
    assert len(company.calls) > calls
    company.on("ListInstances", {"Instances": []})
    none = Existing(replace(context, target_connection=replace(connection, _instance=None, cache={})))
    for shown in (none.counts(), none.left_out(), none.check(), none.save("b.yaml")):
        assert "Notebook 01 enables it" in repr(shown)
    assert not (tmp_path / "b.yaml").exists()


def test_two_thousand_remarks_are_counted_and_all_in_the_file(idc, company):
    names = [f"odd name {number:04}" for number in range(2000)]
    users = [{"UserId": name, "UserName": name, "DisplayName": "x"} for name in names]
    company.on("ListUsers", {"Users": users})
    done = idc("-o", "mine.yaml", "--only", "users")
    assert (done.exit_code, done.stderr.count("\n")) == (0, 51)
    assert "warning: 1950 more, all named in the files" in done.stderr
    lines = Path("mine.yaml").read_text().splitlines()
    assert {line.partition(",")[0] for line in lines} >= {f"# - user {name!r}" for name in names}
    assert load_scenario("mine.yaml").users == []
