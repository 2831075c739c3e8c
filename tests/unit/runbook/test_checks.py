from dataclasses import replace

import pytest

from idc_aws.errors import CheckFailedError
from idc_helpers.runbook.comparing import Check, CheckResults, check_states
from idc_helpers.runbook.lesson import Place


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
    assert check == Check("permission set Admin", True, "exists as wanted (Session duration)")


def test_of_a_job_or_an_address_only_what_differs_is_named():
    job = {"employee_number": "000042", "cost_center": "CC-1001", "organization": "Example Corp"}
    (check,) = check_states(
        "user",
        {"mary.major": {"enterprise": {**job, "manager": "richard.roe"}}},
        {"mary.major": {"enterprise": {**job, "manager": "somebody", "division": "Technology"}}},
        remedy="",
    )
    shown = ("Manager: somebody, Division: Technology", "Manager: richard.roe, Division: nothing")
    assert check.detail == f"found → expected: Job: {shown[0]} → {shown[1]}"
    assert (check.found, check.expected) == tuple(f"Job: {one}" for one in shown)


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
    assert check.detail == "found → expected: Description: 'b' → 'a'"


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


def test_a_failed_check_says_what_was_expected_and_found_in_words():
    (missing,) = check_states("permission_set", {"Admin": {"session_duration": "PT1H"}}, {}, remedy="")
    assert missing.lesson() == {
        "expected": "it exists, with Session duration: 1 hour",
        "found": "nothing of that name",
    }
    (differs,) = check_states("group", {"A": {"description": "a"}}, {"A": {}}, remedy="")
    assert (differs.expected, differs.found) == ("Description: 'a'", "Description: nothing")


def test_only_what_failed_is_taught_and_the_error_tells_cause_place_and_page():
    asked = []

    def teach(check, key, wanted, found):
        asked.append((key, wanted, found))
        place = Place("06_groups", "Why groups, even for one person?")
        return replace(
            check, cause="somebody deleted it", go_back=place, source="https://docs.aws.amazon.com/x"
        )

    checks = check_states("group", {"A": {}, "B": {}}, {"A": {}}, remedy="Again.", teach=teach)
    assert asked == [("B", {}, None)]
    with pytest.raises(CheckFailedError) as caught:
        CheckResults(tuple(checks)).require()
    told = str(caught.value)
    assert "likely cause: somebody deleted it" in told
    assert "go back to: 06_groups, “Why groups, even for one person?” (06_groups.ipynb#Why-groups," in told
    assert "https://docs.aws.amazon.com/x" in told
    assert checks[0].lesson() == {}
    assert list(checks[1].lesson()) == ["expected", "found", "cause", "go_back", "source"]
