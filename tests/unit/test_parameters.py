from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from papermill.iorw import read_yaml_file

from idc_aws.errors import ParametersError
from idc_aws.scenario.reading import (
    load_scenario,
    scenario_json_schema,
    scenario_parameters,
    validate_scenario,
    write_schema,
)
from idc_aws.scenario.scenario import Scenario

FOLDER = Path(__file__).parents[2] / "parameters"
SCENARIO_FILES = sorted(FOLDER.glob("*.yaml"))

BAD_SCENARIO = """\
regoin: us-east-1
expected_account: 012345670123
permission_sets:
  - name: Auditor
    session_duration: PT13H
    relay_state: https://example.com/{blanks}
    managed_policies:
      - ReadOnlyAccess
      - ReadOnlyAcces
users:
  - user_name: nameless
    display_name: Nobody
  - user_name: ana
    given_name: Ana
    family_name: Silva
    email: ana@example.com
  - user_name: bo
    given_name: Bo
    family_name: Lund
    email: Ana@example.com
""".format(blanks="x" * 240)


@pytest.fixture(scope="module")
def refused_lines(tmp_path_factory) -> list[str]:
    path = tmp_path_factory.mktemp("scenario") / "bad.yaml"
    path.write_text(BAD_SCENARIO, encoding="utf-8")
    with pytest.raises(ParametersError) as caught:
        load_scenario(path)
    return str(caught.value).replace(str(path), "bad.yaml").splitlines()


@pytest.mark.parametrize(
    ("start", "value", "remedy"),
    [
        ("bad.yaml:1: regoin: ", "'regoin'", "Did you mean 'region'?"),
        ("bad.yaml:2: expected_account: ", "012345670123", 'Write "012345670123"'),
        ("bad.yaml:5: permission_sets[0].session_duration: ", "'PT13H'", "from 'PT1H' to 'PT12H'"),
        ("bad.yaml:6: permission_sets[0].relay_state: ", "260 characters", "Use 1 to 240 characters"),
        (
            "bad.yaml:9: permission_sets[0].managed_policies[1]: ",
            "'ReadOnlyAcces'",
            "Did you mean 'ReadOnlyAccess'?",
        ),
        ("bad.yaml:11: users[0].given_name: ", "'given_name' is missing", "Add it"),
        ("bad.yaml:11: users[0].family_name: ", "'family_name' is missing", "Add it"),
        ("bad.yaml:20: users[2].email: ", "'Ana@example.com'", "Change one of the two"),
    ],
)
def test_each_problem_is_one_line_with_place_value_and_remedy(refused_lines, start, value, remedy):
    (line,) = [line for line in refused_lines if line.startswith(start)]
    assert value in line
    assert remedy in line


def test_a_problem_of_any_name_and_value_is_one_short_line(tmp_path):
    path = tmp_path / "odd\nname.yaml"
    path.write_text("region: " + "x" * 100_000 + '\n"a\\nregion: b\\e[31m": 1\n', encoding="utf-8")
    with pytest.raises(ParametersError) as caught:
        load_scenario(path)
    first, second = str(caught.value).splitlines()
    assert len(first) < 1_000
    assert "odd\\nname.yaml:2: a\\nregion: b\\x1b[31m: unknown key" in second


def test_all_problems_are_listed_at_once_in_the_order_of_the_file(refused_lines):
    assert [int(line.split(":")[1]) for line in refused_lines] == [1, 2, 5, 6, 9, 11, 11, 20]


def test_mistakes_in_yaml_alone_are_refused_too(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("mode: plan\nmode: apply\n", encoding="utf-8")
    with pytest.raises(ParametersError) as caught:
        load_scenario(str(path))
    assert str(caught.value).startswith(f"{path}:2: mode: duplicate key 'mode' (first defined on line 1).")


@pytest.mark.parametrize(
    ("line", "path", "remedy"),
    [
        ("    birthdate: 1990-04-23", None, ""),
        ("    phone_number: 5550100", "users[0].phone_number", 'Put it in quotes: "5550100".'),
        ("    title: off", "users[0].title", 'Put it in quotes: "off".'),
        ("    email:", None, ""),
    ],
)
def test_values_that_yaml_changes_are_found_as_typed(tmp_path, line, path, remedy):
    file = tmp_path / "a.yaml"
    file.write_text(
        f"users:\n  - user_name: ana\n    given_name: A\n    family_name: S\n{line}\n", encoding="utf-8"
    )
    if not remedy:
        assert load_scenario(file).users[0].user_name == "ana"
        return
    with pytest.raises(ParametersError) as caught:
        load_scenario(file)
    (problem,) = caught.value.problems
    assert (problem.line, problem.path, problem.remedy) == (5, path, remedy)


def test_problems_of_injected_parameters_name_their_source():
    with pytest.raises(ParametersError) as caught:
        validate_scenario({"expected_account": 12345678901}, source="notebook 05")
    (line,) = str(caught.value).splitlines()
    assert line.startswith("notebook 05: expected_account: 12345678901 is a number")
    assert "use -r in place of -p" in line


def test_repeated_entries_are_found_beside_other_mistakes_and_listed_once():
    entry = {"user_name": "ana", "given_name": "A", "family_name": "S"}
    with pytest.raises(ParametersError) as caught:
        validate_scenario({"users": [entry, entry], "mode": "now"})
    assert sorted(problem.path for problem in caught.value.problems) == ["mode", "users[1].user_name"]
    with pytest.raises(ParametersError) as caught:
        validate_scenario({"users": [entry, entry]})
    assert [problem.path for problem in caught.value.problems] == ["users[1].user_name"]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*Scenario.model_fields, "name", "email", "group", "accounts"]),
                inner,
                max_size=3,
            )
        ),
    )
)
def test_whatever_the_data_it_is_a_scenario_or_a_list_of_problems(data):
    mapping = (
        data
        if isinstance(data, dict)
        else {"users": data, "permission_sets": data, "account_assignments": data}
    )
    try:
        problems = []
        scenario = validate_scenario(mapping)
    except ParametersError as error:
        scenario, problems = None, error.problems
    assert (scenario is None) == bool(problems)
    assert [problem for problem in problems if not (problem.message and problem.remedy)] == []


@pytest.mark.parametrize("path", SCENARIO_FILES, ids=lambda path: path.name)
def test_each_shipped_scenario_loads_and_survives_papermill(path):
    scenario = load_scenario(path)
    injected = json.loads(json.dumps(scenario_parameters(scenario)))
    assert validate_scenario(injected) == scenario
    assert validate_scenario(read_yaml_file(str(path))) == scenario


@pytest.mark.parametrize("path", SCENARIO_FILES, ids=lambda path: path.name)
def test_each_shipped_scenario_is_explained_and_points_editors_to_the_schema(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# yaml-language-server: $schema=schema.json"
    top_level = [number for number, line in enumerate(lines) if line and line[0] not in "# -"]
    explained = [
        lines[number]
        for number in top_level
        if any(line.startswith("#") for line in lines[number - 1 : number])
    ]
    assert explained == [lines[number] for number in top_level]
    assert max(map(len, lines)) <= 110


def test_what_a_scenario_does_not_say_is_no_parameter():
    scenario = validate_scenario({"permission_sets": [{"name": "Auditor"}]})
    parameters = scenario_parameters(scenario)
    assert set(scenario.model_dump()) - set(parameters) == {
        "mode",
        "expected_account",
        "profile",
        "access_control_attributes",
    }
    assert "relay_state" not in parameters["permission_sets"][0]


def test_the_three_scenarios_are_there():
    assert [path.name for path in SCENARIO_FILES] == [
        "aws-individual.yaml",
        "aws-organization.yaml",
        "sandbox.yaml",
    ]


@pytest.mark.parametrize("name", ["aws-individual.yaml", "aws-organization.yaml"])
def test_examples_for_aws_only_plan_until_someone_changes_that(name):
    scenario = load_scenario(FOLDER / name)
    assert (scenario.target, scenario.mode) == ("aws", "plan")
    assert scenario.expected_account


def test_the_default_scenario_is_the_whole_set_up():
    scenario = load_scenario(FOLDER / "sandbox.yaml")
    names = ["AdministratorAccess", "ReadOnlyAccess", "BillingAuditor"]
    assert scenario.target == "sandbox"
    assert [entry.name for entry in scenario.permission_sets] == names
    assert [entry.display_name for entry in scenario.groups] == names
    assert scenario.permission_sets[0].relay_state == "https://console.aws.amazon.com/ec2/"
    assert scenario.access_portal.subdomain == "practice-portal"
    assert scenario.management.delegated_administrator == "Security tooling"
    assert {account for entry in scenario.account_assignments for account in entry.accounts} == {
        "Management",
        "Development",
        "Production",
    }
    assert {group for person in scenario.users for group in person.groups} == set(names)
    full = scenario.users[0]
    assert [name for name in type(full).model_fields if not getattr(full, name)] == []
    assert all(full.address.model_dump().values())
    assert all(full.enterprise.model_dump().values())


def test_the_schema_in_the_repository_is_current(tmp_path):
    write_schema(tmp_path / "schema.json")
    current = (tmp_path / "schema.json").read_text(encoding="utf-8")
    assert (FOLDER / "schema.json").read_text(encoding="utf-8") == current, "write it again with write_schema"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = scenario_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", SCENARIO_FILES, ids=lambda path: path.name)
def test_editors_accept_each_shipped_scenario(validator, path):
    assert [error.message for error in validator.iter_errors(read_yaml_file(str(path)))] == []


@pytest.mark.parametrize(
    "bad",
    [
        {"regoin": "us-east-1"},
        {"expected_account": 111122223333},
        {"mode": "now"},
        {"permission_sets": [{}]},
        {"permission_sets": [{"name": "two words"}]},
        {"permission_sets": [{"name": "x", "inline_policy": {}}]},
        {"users": [{"user_name": "ana"}]},
        {"account_assignments": [{"permission_set": "x", "group": "g", "user": "u", "accounts": ["a"]}]},
        {"account_assignments": [{"permission_set": "x", "group": "g", "accounts": []}]},
        {"account_assignments": [{"permission_set": "x", "group": "g", "organizational_units": []}]},
        {"account_assignments": [{"permission_set": "x", "group": "g"}]},
    ],
)
def test_editors_mark_what_is_wrong(validator, bad):
    assert list(validator.iter_errors(bad))


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"permission_sets": [{"predefined": "Billing"}]},
        {"users": [{"user_name": "ana", "given_name": "A", "family_name": "S"}]},
        {"account_assignments": [{"permission_set": "x", "group": "g", "organizational_units": ["Root"]}]},
        {"account_assignments": [{"permission_set": "x", "group": "g", "account_tags": {"env": "prod"}}]},
    ],
)
def test_editors_accept_what_the_models_complete(validator, good):
    assert list(validator.iter_errors(good)) == []
    assert validate_scenario(good)


def test_every_key_is_described_for_editors(validator):
    objects = [validator.schema, *validator.schema["$defs"].values()]
    bare = [
        name
        for part in objects
        for name, field in part.get("properties", {}).items()
        if not field.get("description")
    ]
    assert bare == []


def test_words_need_neither_boto3_nor_pandas_nor_widgets():
    code = (
        "import sys, idc_aws.scenario.reading, idc_aws.identifiers\n"
        "print(sorted({'boto3', 'botocore', 'pandas', 'ipywidgets', 'moto', 'IPython'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER.parent
    )
    assert done.stdout.strip() == "[]"
