"""What gives more access than before is named, and what was allowed before is not."""

import fnmatch
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idc_aws.errors import ParametersError
from idc_runner.plans.widening import (
    is_administrators,
    pattern_covers,
    policy_findings,
    read_rules,
    set_findings,
)

RULES = read_rules()


def allow(action, resource="arn:aws:s3:::mine/*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*"):
    return {"Effect": "Deny", "Action": action, "Resource": resource}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


CONDITION = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}


@pytest.mark.parametrize(
    ("before", "after", "rules"),
    [
        (None, policy(allow("s3:GetObject")), []),
        (None, policy(allow("s3:GetObject", "*")), []),
        (None, policy(allow("s3:PutObject", "*")), ["wildcard_resource"]),
        (None, policy(allow(["S3:*"])), ["wildcard_action"]),
        (None, policy(allow("*", "*")), ["all_actions"]),
        (None, {"Statement": allow("*", "*")}, ["all_actions"]),
        (None, policy(allow("iam:PassRole", "arn:aws:iam::111122223333:role/x")), ["pass_role"]),
        (None, policy(allow("iam:Pass*", "arn:aws:iam::111122223333:role/x")), ["pass_role"]),
        (None, policy(allow("iam:CreatePolicyVersion", "arn:aws:iam::1:policy/x")), ["privilege_escalation"]),
        (
            None,
            policy(allow("iam:*", "*")),
            ["wildcard_action", "wildcard_resource", "pass_role", "privilege_escalation"],
        ),
        (None, policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), ["not_action"]),
        (
            None,
            policy({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::x"}),
            ["wildcard_action", "wildcard_resource"],
        ),
        (None, policy(deny("*")), []),
        # Only what is new is named.
        (policy(allow("s3:*", "*")), policy(allow("s3:*", "*"), allow("s3:PutObject", "*")), []),
        (policy(allow("*", "*")), policy(allow("iam:PassRole", "*"), allow("s3:*", "*")), []),
        (policy(allow("s3:*")), policy(allow("s3:*", "*")), ["wildcard_action", "wildcard_resource"]),
        (
            policy(allow("iam:PassRole", "arn:1")),
            policy(allow("iam:PassRole", ["arn:1", "arn:2"])),
            ["pass_role"],
        ),
        (policy(allow("iam:PassRole", "arn:*")), policy(allow("iam:PassRole", "arn:2")), []),
        (policy(allow("s3:Put*", "*")), policy(allow("s3:PutObject", "*")), []),
        (policy(allow("s3:PutObject", "*")), policy(allow("s3:Put*", "*")), ["wildcard_resource"]),
        # A condition that is gone is more access; one that is new is less.
        (
            policy(allow("s3:PutObject", "*", Condition=CONDITION)),
            policy(allow("s3:PutObject", "*")),
            ["wildcard_resource"],
        ),
        (policy(allow("s3:PutObject", "*")), policy(allow("s3:PutObject", "*", Condition=CONDITION)), []),
        (policy(deny("payments:*")), policy(), ["deny_removed"]),
        (policy(deny("payments:*")), None, ["deny_removed"]),
        (policy(deny("payments:MakePayment")), policy(deny("payments:*")), []),
        (
            policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
            policy({"Effect": "Allow", "NotAction": ["iam:*", "sso:*"], "Resource": "*"}),
            [],
        ),
        # Somebody else's text that is not a policy.
        ("not a policy", policy(allow("s3:GetObject")), []),
    ],
)
def test_a_policy_is_compared_with_the_one_of_before(before, after, rules):
    assert [rule for rule, _ in policy_findings(before, after, RULES)] == rules


ADMINISTRATOR, READ_ONLY = (
    f"arn:aws:iam::aws:policy/{name}" for name in ("AdministratorAccess", "ReadOnlyAccess")
)


@pytest.mark.parametrize(
    ("before", "after", "rules"),
    [
        ({}, {"managed_policies": [ADMINISTRATOR]}, ["administrator_policy"]),
        ({"managed_policies": [ADMINISTRATOR]}, {"managed_policies": [ADMINISTRATOR]}, []),
        ({}, {"managed_policies": [ADMINISTRATOR, READ_ONLY]}, ["administrator_policy", "managed_policy"]),
        ({"managed_policies": [READ_ONLY]}, {"managed_policies": [READ_ONLY]}, []),
        ({}, {"customer_managed_policies": [{"name": "Own", "path": "/"}]}, ["customer_managed_policy"]),
        (
            {"permissions_boundary": {"managed_policy": "a"}},
            {"permissions_boundary": None},
            ["boundary_removed"],
        ),
        ({"permissions_boundary": None}, {"permissions_boundary": {"managed_policy": "a"}}, []),
        ({"session_duration": "PT1H"}, {"session_duration": "PT90M"}, ["longer_session"]),
        ({"session_duration": "PT4H"}, {"session_duration": "PT1H"}, []),
        ({}, {"session_duration": "PT12H"}, []),
    ],
)
def test_a_permission_set_is_compared_with_what_it_was(before, after, rules):
    assert [rule for rule, _ in set_findings(before, after, RULES)] == rules


@pytest.mark.parametrize(
    ("state", "is_one"),
    [
        ({"managed_policies": [ADMINISTRATOR]}, True),
        ({"inline_policy": policy(allow("*", "*"))}, True),
        ({"inline_policy": policy(allow("*", "arn:1"))}, False),
        ({"inline_policy": policy(allow(["s3:Get*", "iam:*"], "*"))}, True),
        ({"inline_policy": policy(allow("*:*", "*"))}, True),
        ({"inline_policy": policy(allow("iam:Get*", "*"))}, False),
        ({"inline_policy": policy({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"})}, True),
        ({"inline_policy": policy({"Effect": "Allow", "NotAction": ["IAM:*"], "Resource": "*"})}, False),
        ({"managed_policies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}, False),
    ],
)
def test_who_is_an_administrator(state, is_one):
    assert is_administrators(state, RULES) is is_one


PATTERNS = st.text(alphabet="ab*?", min_size=1, max_size=5)


@settings(max_examples=200)
@given(PATTERNS, PATTERNS, st.text(alphabet="ab", max_size=5))
def test_a_pattern_that_covers_another_one_matches_all_that_it_matches(wide, narrow, text):
    if pattern_covers(wide, narrow) and fnmatch.fnmatchcase(text, narrow):
        assert fnmatch.fnmatchcase(text, wide)


ACTIONS = st.sampled_from(["iam:passrole", "iam:pass*", "iam:*", "s3:getobject", "*"])
RESOURCES = st.sampled_from(["*", "arn:aws:iam::1:role/a", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/b"])
POLICIES = st.lists(st.builds(allow, ACTIONS, RESOURCES), max_size=3).map(lambda each: policy(*each))


def allows(one, action, resource):
    return any(
        fnmatch.fnmatchcase(action, each["Action"]) and fnmatch.fnmatchcase(resource, each["Resource"])
        for each in one["Statement"]
    )


@settings(max_examples=200)
@given(POLICIES, POLICIES)
def test_a_role_that_may_be_passed_only_now_never_goes_unnamed(before, after):
    found = {rule for rule, _ in policy_findings(before, after, RULES)}
    for resource in ("arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"):
        if allows(after, "iam:passrole", resource) and not allows(before, "iam:passrole", resource):
            assert found & {"pass_role", "all_actions"}
    assert not list(policy_findings(after, after, RULES))


def test_a_file_of_rules_says_only_what_is_different(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text('[rules]\nwildcard_action = "accept"\n[administrators]\npolicies = ["PowerUserAccess"]\n')
    own = read_rules(path)
    assert (own.levels["wildcard_action"], own.levels["pass_role"]) == ("accept", "accept")
    assert own.administrators == {"PowerUserAccess"}
    assert own.escalations == RULES.escalations


def test_everything_that_is_wrong_in_rules_is_named_at_once(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        'escalations = 3\n[rules]\npass_rule = "accept"\npass_role = "ask"\n'
        "[administrators]\npolicies = [1]\n[rule]\n"
    )
    with pytest.raises(ParametersError) as refused:
        read_rules(path)
    assert [problem.path for problem in refused.value.problems] == [
        "escalations",
        "rules.pass_rule",
        "rules.pass_role",
        "administrators.policies",
        "rule",
    ]
    assert "Did you mean 'pass_role'?" in str(refused.value)
    path.write_text("[rules\n")
    with pytest.raises(ParametersError, match="it is not TOML"):
        read_rules(path)


def test_the_documented_rules_are_those_that_there_are():
    text = (Path(__file__).parents[3] / "docs" / "company.md").read_text("utf-8")
    for level, words in (("accept", "as the kit has them:"), ("name", "Rules that only name:")):
        listed = re.findall(r"`(\w+)`", text.partition(words)[2].partition(".")[0])
        assert listed == [rule for rule, asked in RULES.levels.items() if asked == level]
