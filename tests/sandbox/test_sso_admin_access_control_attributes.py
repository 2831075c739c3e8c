"""Attributes for access control: off, on, changed, off again."""

from __future__ import annotations

import pytest
from handler_harness import DEVELOPMENT, Harness

PREFIX = "InstanceAccessControlAttributeConfiguration"


@pytest.fixture
def center(tmp_path) -> Harness:
    return Harness(tmp_path / "sandbox.db")


def configuration(**sources: str) -> dict:
    attributes = [{"Key": key, "Value": {"Source": [source]}} for key, source in sources.items()]
    return {PREFIX: {"AccessControlAttributes": attributes}}


def test_they_are_off_until_created_and_after_they_are_deleted(center):
    for operation in ("Describe", "Delete"):
        center.refused(f"{operation}{PREFIX}", "ResourceNotFoundException")
    center.refused(f"Update{PREFIX}", "ResourceNotFoundException", **configuration(a="b"))
    center.sso(f"Create{PREFIX}", **configuration())
    assert center.sso(f"Describe{PREFIX}") == {"Status": "ENABLED", **configuration()}
    center.sso(f"Delete{PREFIX}")
    center.refused(f"Describe{PREFIX}", "ResourceNotFoundException")


def test_creating_them_twice_is_a_conflict_that_names_the_remedy(center):
    center.sso(f"Create{PREFIX}", **configuration(a="b"))
    message = center.refused(f"Create{PREFIX}", "ConflictException", **configuration(a="c"))
    assert f"Update{PREFIX}" in message
    assert center.sso(f"Describe{PREFIX}")[PREFIX] == configuration(a="b")[PREFIX]


def test_an_update_replaces_all(center):
    center.sso(f"Create{PREFIX}", **configuration(department="${path:enterprise.department}", title="x"))
    center.sso(f"Update{PREFIX}", **configuration(team="${path:nickName}"))
    assert center.sso(f"Describe{PREFIX}")[PREFIX] == configuration(team="${path:nickName}")[PREFIX]


def test_a_repeated_key_is_refused(center):
    twice = configuration(team="a")
    twice[PREFIX]["AccessControlAttributes"] *= 2
    assert "'team'" in center.refused(f"Create{PREFIX}", "ValidationException", **twice)


def test_fifty_attributes_and_no_more(center):
    center.sso(f"Create{PREFIX}", **configuration(**{f"key{number}": "x" for number in range(50)}))
    center.refused(
        f"Update{PREFIX}",
        "ValidationException",
        **configuration(**{f"key{number}": "x" for number in range(51)}),
    )


def test_member_accounts_may_not_read_them(center):
    center.sso(f"Create{PREFIX}", **configuration())
    center.refused(f"Describe{PREFIX}", "AccessDeniedException", caller_account=DEVELOPMENT)
