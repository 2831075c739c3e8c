"""A plan as people read it: a diff with signs, of bounded length, and text wherever it is shown."""

import re

import pytest
from plan_tools import groups, lesson_plan, planned

from idc_aws.changes import Action
from idc_runner.plans.document import Widening
from idc_runner.plans.words import (
    MOST_MARKDOWN,
    MOST_SHOWN,
    diff_lines,
    plan_markdown,
    plan_page,
    terminal_lines,
)

OLD = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
NEW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


@pytest.mark.parametrize(
    ("before", "wanted", "lines"),
    [
        (
            {"session_duration": "PT1H"},
            {"session_duration": "PT4H"},
            ["- Session duration: 1 hour", "+ Session duration: 4 hours"],
        ),
        ({"description": None}, {"description": "new"}, ["+ Description: new"]),
        ({"description": "old"}, {"description": None}, ["- Description: old"]),
        (
            {"tags": {"title": "a", "kept": "b"}},
            {"tags": {"title": "c", "kept": "b"}},
            ["- Tags, title: a", "+ Tags, title: c"],
        ),
        ({}, {"address": {"locality": "Any Town"}}, ["+ Address, City: Any Town"]),
        (
            {"managed_policies": ["arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/B"]},
            {"managed_policies": ["arn:aws:iam::aws:policy/B", "arn:aws:iam::aws:policy/C"]},
            ["- AWS managed policies: A", "+ AWS managed policies: C"],
        ),
        ({"tags": {}}, {"tags": None}, []),
        ({"description": "same"}, {"description": "same"}, []),
        (
            {"description": "a"},
            {"description": "\x1b[2Jb\nc"},
            ["- Description: a", r"+ Description: \x1b[2Jb\nc"],
        ),
    ],
)
def test_a_change_shows_what_differs_with_signs(before, wanted, lines):
    one = planned(Action.UPDATE, "permission_set", "R", wanted, before)
    assert [str(line) for line in diff_lines(one)] == lines


def test_a_policy_shows_the_lines_that_differ_with_a_few_around_them():
    one = planned(Action.UPDATE, "permission_set", "R", {"inline_policy": NEW}, {"inline_policy": OLD})
    lines = [str(line) for line in diff_lines(one)]
    assert lines[0] == "  Inline policy:"
    assert [line for line in lines if line[0] in "+-"] == [
        '-         "Action": "s3:GetObject",',
        '+         "Action": "s3:*",',
    ]


def test_a_terminal_shows_a_small_plan_whole_and_of_a_large_one_a_table_and_the_first():
    small = "\n".join(terminal_lines(lesson_plan(*groups(MOST_SHOWN))))
    assert small.count("  + group") == MOST_SHOWN
    large = list(terminal_lines(lesson_plan(*groups(2000))))
    assert len(large) < 60
    assert any(re.search(r"group +2,000", line) for line in large)
    assert any("1,990 more" in line for line in large)


def test_a_page_of_two_thousand_changes_is_complete_and_small():
    page = plan_page(lesson_plan(*groups(2000)))
    assert page.count("+ group Group") == 2000
    assert page.count("People of") == 2000
    assert len(page.encode()) < 1_000_000


def test_what_somebody_called_a_thing_is_text_in_a_page_and_in_markdown():
    name = "<script>alert(1)</script>```` @team"
    made = lesson_plan(
        planned(Action.CREATE, "group", name, {"description": "```\n# out"}, stays=("for `good`",))
    )
    assert "<script>" not in plan_page(made)
    text = plan_markdown(made)
    fence = re.search(r"^(`{3,})diff$", text, re.MULTILINE)[1]
    assert len(fence) > 4
    assert text.count(f"\n{fence}\n") == 1
    assert r"+ Description: ```\n# out" in text


@pytest.mark.parametrize("number", [1, 50, 2000])
def test_markdown_fits_into_a_comment_and_counts_what_it_leaves_out(number):
    text = plan_markdown(lesson_plan(*groups(number)))
    assert len(text) <= MOST_MARKDOWN + 1
    shown = text.count("# + group")
    left_out = re.search(r"\*\*([\d,]+) more changes are not shown", text)
    assert shown + (int(left_out[1].replace(",", "")) if left_out else 0) == number
    assert shown > 0


def test_markdown_of_long_notices_keeps_room_for_changes():
    every = [
        planned(Action.CREATE, "group", f"{n:03}" + "x" * 900, {}, stays=("y" * 900,)) for n in range(300)
    ]
    widenings = tuple(Widening("pass_role", True, "permission_set", f"{n}", "z" * 900) for n in range(300))
    text = plan_markdown(lesson_plan(*every, widenings=widenings))
    assert len(text) <= MOST_MARKDOWN + 1
    assert "… and 280 more" in text
    shown = text.count("# + group")
    assert shown > 0
    assert f"**{300 - shown} more changes are not shown here.**" in text
