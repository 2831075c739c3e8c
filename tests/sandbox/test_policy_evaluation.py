"""IAM's rules of evaluation, apart from where policies come from."""

from __future__ import annotations

import json
import time

import pytest

from idc_sandbox.wire.policies import AccessRequest, Decision, evaluate

CONTEXT = {
    "aws:username": "ana",
    "aws:principaltag/team": "blue",
    "aws:epochtime": "1000",
    "aws:currenttime": "2026-05-01T00:00:00+00:00",
    "aws:sourceip": "10.1.2.3",
    "aws:tagkeys": ["cost", "owner"],
    "aws:empty": [],
    "aws:starred": "a*",
    "aws:long": "a" * 1000,
    "aws:principalarn": "arn:aws:iam::111122223333:role/path/Reader",
}


def decide(statement, action="s3:GetObject", resource="arn:aws:s3:::b/k") -> Decision:
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    return evaluate([text], AccessRequest(action, resource, CONTEXT))


def allows(**statement) -> bool:
    return decide({"Effect": "Allow", **statement}) is Decision.ALLOWED


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        ("s3:*", True),
        ("S3:getobject", True),
        ("s3:Get*", True),
        ("s3:GetObjec?", True),
        ("s3:Get?", False),
        ("s3.GetObject", False),
        ("iam:*", False),
        (["iam:*", "s3:GetObject"], True),
    ],
)
def test_actions_fit_by_wildcards_and_whatever_their_case(pattern, fits):
    assert allows(Action=pattern, Resource="*") is fits


@pytest.mark.parametrize(
    ("element", "fits"),
    [
        ({"Resource": "arn:aws:s3:::b/*"}, True),
        ({"Resource": "arn:aws:s3:::B/*"}, False),
        ({"Resource": "arn:aws:s3:::b"}, False),
        ({"Resource": ["x", "arn:aws:s3:::?/k"]}, True),
        ({"NotResource": "arn:aws:s3:::b/*"}, False),
        ({"NotResource": "arn:aws:s3:::c/*"}, True),
        ({}, False),
    ],
)
def test_resources_fit_by_wildcards_in_their_own_case(element, fits):
    assert allows(Action="s3:*", **element) is fits


def test_not_action_means_all_others():
    assert not allows(NotAction=["s3:*"], Resource="*")
    assert allows(NotAction=["iam:*", "organizations:*"], Resource="*")


def test_a_deny_wins_whatever_the_order():
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
    assert decide([allow, deny]) is Decision.DENIED
    assert decide([deny, allow]) is Decision.DENIED
    assert decide([allow, {**deny, "Action": "s3:PutObject"}]) is Decision.ALLOWED
    assert decide([]) is Decision.NOT_ALLOWED


@pytest.mark.parametrize("text", ["", "[]", "null", '"*"', "{", '{"Statement": "x"}', '{"Statement": [1]}'])
def test_what_is_no_policy_allows_nothing(text):
    assert evaluate([text], AccessRequest("s3:GetObject")) is Decision.NOT_ALLOWED


@pytest.mark.parametrize(
    ("operator", "key", "value", "holds"),
    [
        ("StringEquals", "aws:username", "ana", True),
        ("StringEquals", "AWS:UserName", ["bob", "ana"], True),
        ("StringEquals", "aws:username", "Ana", False),
        ("StringEqualsIgnoreCase", "aws:username", "Ana", True),
        ("StringNotEquals", "aws:username", "ana", False),
        ("StringNotEquals", "aws:username", ["bob", "ana"], False),
        ("StringNotEquals", "aws:username", "bob", True),
        ("StringLike", "aws:username", "a*", True),
        ("StringLike", "aws:username", "a?", False),
        ("StringLike", "aws:username", "[a]na", False),
        ("StringLike", "aws:PrincipalArn", "*${aws:username}*", False),
        ("StringEquals", "aws:username", "${aws:username}", True),
        ("StringNotLike", "aws:username", "b*", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/path/*", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/*", False),
        ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:user/*", True),
        ("NumericLessThan", "aws:epochtime", "1001", True),
        ("NumericLessThan", "aws:epochtime", "1000", False),
        ("NumericGreaterThanEquals", "aws:epochtime", 1000, True),
        ("NumericEquals", "aws:username", "1", False),
        ("DateGreaterThan", "aws:currenttime", "2026-04-30T23:00:00Z", True),
        ("DateLessThan", "aws:currenttime", "2026-04-30T23:00:00Z", False),
        ("IpAddress", "aws:sourceip", "10.0.0.0/8", True),
        ("NotIpAddress", "aws:sourceip", "10.0.0.0/8", False),
        ("Null", "aws:sourceip", "false", True),
        ("Null", "aws:sourceip", "true", False),
        ("Null", "aws:absent", "true", True),
        ("StringEquals", "aws:absent", "x", False),
        ("StringNotEquals", "aws:absent", "x", True),
        ("StringEqualsIfExists", "aws:absent", "x", True),
        ("StringEqualsIfExists", "aws:username", "x", False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["owner"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["owner"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["owner", "cost"], True),
        ("ForAnyValue:StringEquals", "aws:absent", ["owner"], False),
        ("Bool", "aws:principaltag/team", True, False),
        ("NoSuchOperator", "aws:username", "ana", False),
        ("ForAnyValue:StringNotEquals", "aws:absent", ["owner"], False),
        ("ForAnyValue:StringNotEqualsIfExists", "aws:absent", ["owner"], True),
        ("ForAllValues:StringNotEquals", "aws:absent", ["owner"], True),
        ("ForAnyValue:StringNotEquals", "aws:empty", ["owner"], False),
        ("Null", "aws:empty", "true", True),
        ("StringLike", "aws:starred", "${*}", False),
        ("StringLike", "aws:username", "${*}", False),
        ("StringLike", "aws:username", "${aws:starred}", False),
        ("StringEquals", "aws:starred", "a${*}", True),
        ("DateGreaterThan", "aws:currenttime", "2026-04-30T23:59:59", True),
    ],
)
def test_conditions(operator, key, value, holds):
    assert allows(Action="*", Resource="*", Condition={operator: {key: value}}) is holds


def test_a_date_without_a_zone_is_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")  # 14 hours ahead
    time.tzset()
    try:
        after = {"DateGreaterThanEquals": {"aws:currenttime": "2026-05-01T01:00:00"}}
        assert not allows(Action="*", Resource="*", Condition=after)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("keys", ["x", ["x"], None, 1])
def test_a_condition_that_is_none_holds_for_nothing(keys):
    assert not allows(Action="*", Resource="*", Condition={"StringNotEquals": keys})


def test_many_wildcards_take_no_time():
    began = time.process_time()
    statement = {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::" + "*a" * 40 + "b"}
    assert decide(statement, resource="arn:aws:s3:::" + "a" * 1000) is Decision.NOT_ALLOWED
    long = {"StringLike": {"aws:long": "*a" * 40 + "b"}}
    assert not allows(Action="*", Resource="*", Condition=long)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("odd", [1, None, {"a": 1}, [["a"]], [None]])
@pytest.mark.parametrize("element", ["Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"])
def test_no_odd_element_is_an_error(element, odd):
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", element: odd}
    assert decide(statement) in (Decision.ALLOWED, Decision.NOT_ALLOWED)


def test_what_a_variable_stands_for_is_no_pattern():
    statement = {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/${aws:starred}/*"}
    assert decide(statement, resource="arn:aws:s3:::b/ana/file") is Decision.NOT_ALLOWED
    assert decide(statement, resource="arn:aws:s3:::b/a*/file") is Decision.ALLOWED


def test_all_conditions_must_hold():
    both = {"StringEquals": {"aws:username": "ana", "aws:principaltag/team": "red"}}
    assert not allows(Action="*", Resource="*", Condition=both)


def test_a_deny_whose_condition_does_not_hold_denies_nothing():
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    assert (
        decide([allow, {**deny, "Condition": {"StringEquals": {"aws:username": "bob"}}}]) is Decision.ALLOWED
    )
    assert decide([allow, {**deny, "Condition": {"StringLike": {"aws:username": "a*"}}}]) is Decision.DENIED


def test_variables_are_filled_in_where_they_are_known():
    assert allows(Action="*", Resource="arn:aws:s3:::b/${aws:nothing}*") is False
    statement = {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/${aws:username}/*"}
    assert decide(statement, resource="arn:aws:s3:::b/ana/file") is Decision.ALLOWED
    assert decide(statement, resource="arn:aws:s3:::b/bob/file") is Decision.NOT_ALLOWED
