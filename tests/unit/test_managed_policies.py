from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import get_args

import pytest

from idc_aws.errors import InvalidValueError
from idc_aws.identifiers import aws_managed_policies, managed_policy_arn
from idc_aws.scenario.access import PredefinedName, predefined_policy

ROOT = Path(__file__).parents[2]
PREFIX = "arn:aws:iam::aws:policy/"


@pytest.mark.parametrize(
    ("given", "policy_arn"),
    [
        ("ReadOnlyAccess", f"{PREFIX}ReadOnlyAccess"),
        ("AmazonS3ReadOnlyAccess", f"{PREFIX}AmazonS3ReadOnlyAccess"),
        ("ViewOnlyAccess", f"{PREFIX}job-function/ViewOnlyAccess"),
        ("job-function/ViewOnlyAccess", f"{PREFIX}job-function/ViewOnlyAccess"),
        (f"{PREFIX}job-function/ViewOnlyAccess", f"{PREFIX}job-function/ViewOnlyAccess"),
        (f"{PREFIX}service-role/AWSLambdaRole", f"{PREFIX}service-role/AWSLambdaRole"),
        (f"{PREFIX}PolicyOfNextYear", f"{PREFIX}PolicyOfNextYear"),
        ("arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess", "arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess"),
    ],
)
def test_names_and_arns_become_arns(given, policy_arn):
    assert managed_policy_arn(given) == policy_arn


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ReadOnlyAcces", "Did you mean 'ReadOnlyAccess'?"),
        ("readonlyaccess", "Did you mean 'ReadOnlyAccess'?"),
        ("service-role/ReadOnlyAccess", "Did you mean 'ReadOnlyAccess'?"),
        ("PolicyOfNextYear", "write its whole ARN"),
        ("", "write its whole ARN"),
        (f"{PREFIX}ViewOnlyAccess", f"Write '{PREFIX}job-function/ViewOnlyAccess'."),
        ("arn:aws:iam::111122223333:policy/Mine", "customer_managed_policies"),
        ("arn:aws:iam::aws:role/ReadOnlyAccess", f"starts with '{PREFIX}'"),
        (f"{PREFIX}", f"starts with '{PREFIX}'"),
    ],
)
def test_an_unknown_policy_is_refused_with_a_way_on(given, words):
    with pytest.raises(InvalidValueError) as caught:
        managed_policy_arn(given)
    assert repr(given) in caught.value.message
    assert words in caught.value.remedy


def test_each_predefined_permission_set_is_a_policy_that_exists():
    policies = [predefined_policy(name) for name in get_args(PredefinedName)]
    assert [policy.removeprefix(PREFIX) for policy in policies] == [
        "AdministratorAccess",
        "job-function/Billing",
        "job-function/DatabaseAdministrator",
        "job-function/DataScientist",
        "job-function/NetworkAdministrator",
        "PowerUserAccess",
        "ReadOnlyAccess",
        "SecurityAudit",
        "job-function/SupportUser",
        "job-function/SystemAdministrator",
        "job-function/ViewOnlyAccess",
    ]
    assert predefined_policy("IAMFullAccess") is None


def test_policies_for_service_linked_roles_alone_are_refused():
    name = next(name for name, path in aws_managed_policies().items() if path.startswith("aws-service-role/"))
    for given in (name, f"aws-service-role/{name}", f"{PREFIX}aws-service-role/{name}"):
        with pytest.raises(InvalidValueError, match="service-linked role"):
            managed_policy_arn(given)


def test_the_list_is_current_with_its_source():
    script = ROOT / "tools" / "refresh_managed_policies.py"
    spec = importlib.util.spec_from_file_location("refresh_managed_policies", script)
    refresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(refresh)
    assert refresh.TARGET.read_text(encoding="utf-8") == refresh.managed_policies_text(), f"run {script.name}"
    assert len(aws_managed_policies()) > 1_500
