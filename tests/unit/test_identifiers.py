from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idc_aws.errors import InvalidValueError
from idc_aws.identifiers import (
    access_portal_url,
    check_account_id,
    check_region,
    console_link,
    did_you_mean,
    first_of,
    instance_id_of,
    is_account_id,
)

INSTANCE_ARN = "arn:aws:sso:::instance/ssoins-7223abcdef012345"
ACCOUNT_IDS = st.text("0123456789", min_size=12, max_size=12)


@given(ACCOUNT_IDS)
def test_an_account_id_in_quotes_stays_as_it_is(account_id):
    assert is_account_id(account_id)
    assert check_account_id(account_id) == account_id


@given(ACCOUNT_IDS)
def test_an_account_id_without_quotes_is_refused(account_id):
    with pytest.raises(InvalidValueError) as caught:
        check_account_id(int(account_id))
    assert repr(int(account_id)) in caught.value.message
    assert "Quote" in caught.value.remedy
    assert "octal" in caught.value.remedy


@pytest.mark.parametrize(
    "value", ["11112222333", "1111222233334", "1111-2222-3333", "", "١١١١٢٢٢٢٣٣٣٣", None, True, ["1"]]
)
def test_what_is_not_an_account_id_is_refused(value):
    with pytest.raises(InvalidValueError) as caught:
        check_account_id(value)
    assert caught.value.message.startswith(repr(value))
    assert "'111122223333'" in caught.value.remedy


@pytest.mark.parametrize(
    "region", ["us-east-1", "ap-southeast-2", "us-gov-west-1", "il-central-1", "eusc-de-east-1"]
)
def test_regions_are_accepted(region):
    assert check_region(region) == region


@pytest.mark.parametrize(
    "text", ["", "us-east", "us-east-1a", "US-EAST-1", "us_east_1", "us-east-1\n", "Ireland"]
)
def test_what_is_not_a_region_is_refused(text):
    with pytest.raises(InvalidValueError, match=re.escape(repr(text))):
        check_region(text)


def test_the_instance_id_is_in_its_arn():
    assert instance_id_of(INSTANCE_ARN) == "ssoins-7223abcdef012345"


@pytest.mark.parametrize(
    "text",
    [
        "ssoins-7223abcdef012345",
        INSTANCE_ARN[:-1],
        f"{INSTANCE_ARN}0",
        "arn:aws:sso:::permissionSet/ssoins-7223abcdef012345/ps-1",
    ],
)
def test_what_is_not_an_instance_arn_is_refused(text):
    with pytest.raises(InvalidValueError, match="is not the ARN of an instance"):
        instance_id_of(text)


def test_a_console_link_opens_the_instance_in_its_region():
    assert console_link("eu-west-1", INSTANCE_ARN, "settings") == (
        "https://eu-west-1.console.aws.amazon.com/singlesignon/home?region=eu-west-1#!/instances/7223abcdef012345/settings"
    )


def test_a_console_link_needs_a_region():
    with pytest.raises(InvalidValueError, match="'nowhere'"):
        console_link("nowhere", INSTANCE_ARN, "settings")


@pytest.mark.parametrize(
    ("identity_store_id", "subdomain", "address"),
    [
        ("d-1234567890", None, "https://d-1234567890.awsapps.com/start"),
        ("d-1234567890", "practice-portal", "https://practice-portal.awsapps.com/start"),
    ],
)
def test_the_access_portal_has_the_custom_address_once_it_is_set(identity_store_id, subdomain, address):
    assert access_portal_url(identity_store_id, subdomain) == address


@pytest.mark.parametrize(
    "text", ["", "d-123456789", "d-123456789Z", "https://d-1234567890.awsapps.com/start"]
)
def test_the_access_portal_needs_an_identity_store(text):
    with pytest.raises(InvalidValueError, match="is not the id of an identity store"):
        access_portal_url(text)


@pytest.mark.parametrize(
    ("word", "answer"),
    [("regoin", "Did you mean 'region'?"), ("REGION", "Did you mean 'region'?"), ("zzzz", ""), ("", "")],
)
def test_a_near_word_is_offered(word, answer):
    assert did_you_mean(word, ["region", "mode", "users"]) == answer


def test_of_many_lines_the_first_ones_are_said_and_the_rest_is_counted():
    assert first_of(["a", "b"], 2) == ["a", "b"]
    assert first_of(["a", "b", *["c"] * 1000], 2) == ["a", "b", "… and 1,000 more"]
