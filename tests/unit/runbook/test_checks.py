import pytest

from idc_helpers.errors import CheckFailedError
from idc_helpers.runbook.checks import Check, CheckResults, check_states


def test_a_thing_that_is_as_wanted_passes_and_says_what_was_compared():
    (check,) = check_states(
        "permission_set",
        {"Admin": {"session_duration": "PT1H", "tags": {}}},
        {"Admin": {"session_duration": "PT1H"}},
        remedy="",
    )
    assert not check.passed, "a missing field is not an empty one"
    (check,) = check_states(
        "permission_set",
        {"Admin": {"session_duration": "PT1H"}},
        {"Admin": {"session_duration": "PT1H", "x": 1}},
        remedy="",
    )
    assert check == Check("permission set Admin", True, "exists as wanted (session_duration)")


def test_a_missing_thing_says_what_was_expected_and_found():
    (check,) = check_states("group", {"Admins": {}}, {}, remedy="Go back to step 11.")
    assert (check.passed, check.detail, check.remedy) == (
        False,
        "expected it to exist, found nothing",
        "Go back to step 11.",
    )


def test_a_differing_thing_names_the_field_found_and_expected():
    (check,) = check_states(
        "group", {"Admins": {"description": "a"}}, {"Admins": {"description": "b"}}, remedy=""
    )
    assert check.detail == "found → expected: description: 'b' → 'a'"


def test_requiring_raises_with_every_failure_and_each_remedy_once():
    results = CheckResults(
        (
            Check("one", True, "fine"),
            Check("two", False, "gone", "Again."),
            Check("three", False, "odd", "Again."),
        )
    )
    with pytest.raises(CheckFailedError) as caught:
        results.require()
    assert "2 of 3 checks failed" in str(caught.value)
    assert "two: gone" in str(caught.value)
    assert str(caught.value).count("Again.") == 1


def test_requiring_returns_the_results_when_all_passed():
    results = CheckResults((Check("one", True, "fine"),))
    assert results.require() is results
