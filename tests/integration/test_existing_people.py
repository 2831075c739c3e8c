"""People who exist already: added to groups by name, never made or changed; and those whom SCIM owns."""

import io
from pathlib import Path

import pytest

from idc_aws.changes import Action, Change
from idc_aws.errors import ParametersError
from idc_aws.groups import GroupMemberships
from idc_aws.scenario.reading import load_scenario, validate_scenario
from idc_aws.users import Users
from idc_helpers.runbook.lesson import LESSON
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_runner.run import RunRequest, run_lesson

EVE = {"given_name": "Eve", "family_name": "Moss", "display_name": "Eve Moss"}
GROUP = "Existing people"


@pytest.fixture(scope="module")
def eve(connection):
    """A user whom somebody else has made."""
    users = Users(connection)
    list(users.write_all([Change(Action.CREATE, "user", "eve.moss", None, EVE, "")], lambda _: None))
    return "eve.moss"


def step(connection, name, scenario, tmp_path, file=None):
    return Step(RunContext(connection, scenario, "apply", LESSON[name].notebook, tmp_path, file), name)


def plans(connection, scenario, tmp_path):
    """Return the changes of groups and users: action and reason by kind and key."""
    found = [step(connection, name, scenario, tmp_path).compare() for name in ("groups", "users")]
    return {(each.kind, each.key): each for plan in found for each in plan.changes}


def test_a_member_is_added_and_nothing_else_of_the_person_is_touched(connection, eve, tmp_path):
    scenario = validate_scenario({"groups": [{"display_name": GROUP, "members": [eve]}]})
    before = Users(connection).existing([eve])
    for name in ("groups", "users"):
        one = step(connection, name, scenario, tmp_path)
        one.apply()
        one.check().require()
    assert Users(connection).existing([eve]) == before
    assert list(GroupMemberships(connection).read([f"{eve} in {GROUP}"])) == [f"{eve} in {GROUP}"]
    assert {each.action for each in plans(connection, scenario, tmp_path).values()} == {Action.UNCHANGED}


def test_people_who_are_missing_are_all_named_with_their_lines_before_anything_is_written(
    connection, eve, tmp_path, sandbox_folder, monkeypatch
):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "users:\n  - {user_name: new, given_name: N, family_name: W, groups: [Never made]}\n"
        f"groups:\n  - display_name: Never made\n    members:\n      - {eve}\n      - new\n      - nobody\n"
        "      - no.one\n"
    )
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(sandbox_folder))
    lines = {
        f"{file}:{line}: groups[0].members[{place}]": name
        for line, place, name in ((8, 2, "nobody"), (9, 3, "no.one"))
    }
    users = step(connection, "users", load_scenario(file), tmp_path, file)
    project = Path(__file__).parents[2]
    request = RunRequest(project, scenario_file=file, runs=tmp_path / "runs")
    for act in (users.plan, lambda: run_lesson(request, io.StringIO(), None)):
        with pytest.raises(ParametersError) as caught:
            act()
        assert [str(each).partition(": there is no user ")[::2] for each in caught.value.problems] == [
            (place, f"'{name}' on the target. Correct the name, have the person provisioned first, or list "
             "the person under users.")
            for place, name in lines.items()
        ]  # fmt: skip
    assert not (tmp_path / "runs").exists()


def test_a_name_that_is_nearly_one_of_the_scenarios_is_told_of(
    connection, sandbox_folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(sandbox_folder))
    file = tmp_path / "mine.yaml"
    file.write_text(
        "groups:\n  - display_name: E\u0301quipe\n  - display_name: Platform people\n"
        "users:\n  - {user_name: new, given_name: N, family_name: W,\n"
        "     groups: [\u00c9quipe, Platfrom people]}\n",
        "utf-8",
    )
    with pytest.raises(ParametersError) as caught:
        step(connection, "users", load_scenario(file), tmp_path, file).plan()
    accent, typo = caught.value.problems
    assert accent.remedy.startswith("The scenario has a name that looks the same, and differs in how accents")
    assert typo.remedy.startswith("Did you mean 'Platform people'? Correct the name, have the group")


def test_what_scim_owns_is_left_alone_and_the_plan_says_so(connection, eve, tmp_path):
    data = {
        "identity_source": {"type": "external_identity_provider", "provisioning_method": "scim"},
        "groups": [{"display_name": "From elsewhere"}],
        "users": [
            {"user_name": eve, "given_name": "Other", "family_name": "Moss", "groups": ["From elsewhere"]}
        ],
    }
    found = plans(connection, validate_scenario(data), tmp_path)
    assert [(key, each.action) for (key, _), each in found.items()] == [
        *(("group", Action.SKIPPED), ("user", Action.SKIPPED), ("group_membership", Action.SKIPPED))
    ]
    assert all("kit_writes" in each.reason for each in found.values())
    for writes, kinds in (
        (["groups"], {"group"}),
        (["users"], {"user"}),
        (["users", "memberships"], {"user"}),  # nobody has made the group yet
        (["groups", "users", "memberships"], {"group", "user", "group_membership"}),
    ):
        data["identity_source"]["kit_writes"] = writes
        found = plans(connection, validate_scenario(data), tmp_path)
        assert {kind for (kind, _), each in found.items() if each.action is not Action.SKIPPED} == kinds
        waiting = found["group_membership", f"{eve} in From elsewhere"]
        assert ("provisioned" in waiting.reason) == (writes == ["users", "memberships"])


NEW_USER = "users:\n  - user_name: x\n    given_name: X\n    family_name: X\n"


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (NEW_USER + "    groups: [Nobodys]\n", "users[0].groups[0]", "group"),
        ("{0}    group: Nobodys\n", "account_assignments[0].group", "group"),
        ("{0}    user: Nobodys\n", "account_assignments[0].user", "user"),
        (f"{{1}}    group: {GROUP}\n", "account_assignments[0].permission_set", "permission set"),
    ],
)  # fmt: skip
def test_a_name_that_nobody_makes_is_refused_with_its_line_before_anything_is_written(
    connection, tmp_path, sandbox_folder, monkeypatch, text, place, what
):
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(sandbox_folder))
    mine = "permission_sets:\n  - {name: Mine, session_duration: PT1H}\n"
    head = "account_assignments:\n  - permission_set: {}\n    accounts: [Development]\n"
    written = text.replace("{0}", mine + head.format("Mine")).replace("{1}", head.format("Nobodys"))
    file = tmp_path / "mine.yaml"
    file.write_text(written)
    line = 1 + written[: written.index("Nobodys")].count("\n")
    project = Path(__file__).parents[2]
    request = RunRequest(project, scenario_file=file, runs=tmp_path / "runs")
    with pytest.raises(ParametersError) as caught:
        run_lesson(request, io.StringIO(), None)
    (problem,) = caught.value.problems
    assert str(problem).startswith(
        f"{file}:{line}: {place}: there is no {what} 'Nobodys' on the target. Correct "
    )
