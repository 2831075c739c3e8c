from dataclasses import replace

import pytest
from tiny_notebooks import PARAMETERS, make_project, write_notebook

from idc_aws.errors import InvalidValueError, ParametersError, RunFailedError
from idc_runner.run import RunRequest, prepare_run

SCENARIO = """\
target: sandbox
region: eu-west-1
groups:
  - display_name: Auditors
users:
  - user_name: ana
    given_name: Ana
    family_name: Example
"""


@pytest.fixture
def request_(tmp_path):
    project = make_project(tmp_path / "kit", SCENARIO)
    write_notebook(project / "notebooks", "06_groups")
    return RunRequest(project)


def test_a_notebook_gets_what_all_get_and_the_sections_that_it_knows(request_, tmp_path):
    prepared = prepare_run(request_)
    given = prepared.parameters(prepared.notebooks[0], tmp_path / "run")
    assert given == {
        "target": "sandbox",
        "mode": "apply",
        "region": "eu-west-1",
        "expected_account": None,
        "profile": None,
        "scenario_file": str(request_.project / "parameters" / "sandbox.yaml"),
        "run_folder": str(tmp_path / "run"),
        "groups": [{"display_name": "Auditors"}],
    }


def test_the_keys_of_the_person_are_parameters_of_their_own(request_, tmp_path):
    parameters = f'{PARAMETERS}user_name = ""\naccount = ""\nprofile_name = ""\n'
    write_notebook(request_.project / "notebooks", "10_x", parameters=parameters)
    scenario = request_.project / "parameters" / "mine.yaml"
    scenario.write_text(f"{SCENARIO}person:\n  user_name: ana\n  account: Development\n", "utf-8")
    prepared = prepare_run(replace(request_, scenario_file=scenario, only=("10",)))
    given = prepared.parameters(prepared.notebooks[0], tmp_path / "run")
    names = ("user_name", "account", "permission_set", "profile_name")
    assert [given.get(name) for name in names] == ["ana", "Development", None, "practice"]


def test_a_thousand_users_are_read_from_the_file_and_not_written_into_the_notebook(request_, tmp_path):
    users = "".join(
        f"  - {{user_name: person.{n}, given_name: Ana, family_name: Example}}\n" for n in range(1000)
    )
    scenario = request_.project / "parameters" / "company.yaml"
    scenario.write_text(SCENARIO.partition("users:")[0] + "users:\n" + users, "utf-8")
    write_notebook(
        request_.project / "notebooks", "08_x", parameters=f"{PARAMETERS}users = None\ngroups = None\n"
    )
    prepared = prepare_run(replace(request_, scenario_file=scenario, only=("08",)))
    given = prepared.parameters(prepared.notebooks[0], tmp_path / "run")
    assert (given["users"], given["groups"]) == (None, [{"display_name": "Auditors"}])
    one_less = prepared.scenario.model_copy(update={"users": prepared.scenario.users[1:]})
    other = replace(prepared, scenario=one_less)
    given = other.parameters(prepared.notebooks[0], tmp_path / "run")
    assert len(given["users"]) == 999, "what the file does not say is written out"


@pytest.mark.parametrize(
    ("target", "mode", "expected"),
    [(None, None, "apply"), (None, "plan", "plan"), ("aws", None, "plan"), ("aws", "apply", "apply")],
)
def test_the_sandbox_is_applied_and_aws_is_planned_unless_said_otherwise(request_, target, mode, expected):
    prepared = prepare_run(replace(request_, target=target, mode=mode))
    assert prepared.mode == expected
    assert prepared.scenario.target == (target or "sandbox")


def test_an_organization_is_for_a_sandbox_of_the_run_s_own(request_, tmp_path):
    with pytest.raises(InvalidValueError, match="no fresh sandbox") as caught:
        prepare_run(replace(request_, organization=tmp_path / "company.yaml"))
    assert "--fresh-sandbox" in caught.value.remedy
    assert prepare_run(replace(request_, organization=tmp_path / "company.yaml", fresh_sandbox=True))


def test_an_unknown_key_of_the_scenario_is_refused_with_file_and_line(request_):
    scenario = request_.project / "parameters" / "mine.yaml"
    scenario.write_text(SCENARIO.replace("groups:", "groupes:"), "utf-8")
    with pytest.raises(ParametersError, match=r"mine.yaml:3: groupes"):
        prepare_run(replace(request_, scenario_file=scenario))


def test_a_notebook_that_would_not_take_the_run_is_refused(request_):
    write_notebook(request_.project / "notebooks", "07_x", parameters='target = "sandbox"\nmode = None\n')
    with pytest.raises(RunFailedError, match=r"'07_x' does not know the parameters region, .*run_folder"):
        prepare_run(request_)


def test_a_parameter_that_no_scenario_has_is_refused_with_a_guess(request_):
    write_notebook(request_.project / "notebooks", "07_x", parameters=f"{PARAMETERS}permision_sets = None\n")
    with pytest.raises(ParametersError, match=r"permision_sets: .*Did you mean 'permission_sets'"):
        prepare_run(request_)


def test_a_notebook_that_is_not_asked_for_cannot_stop_a_run(request_):
    write_notebook(request_.project / "notebooks", "07_x", parameters=None)
    assert [n.name for n in prepare_run(replace(request_, only=("06",))).notebooks] == ["06_groups"]


def test_aws_has_no_fresh_sandbox(request_):
    with pytest.raises(InvalidValueError, match=r"fresh sandbox.*'aws'"):
        prepare_run(replace(request_, target="aws", fresh_sandbox=True))
