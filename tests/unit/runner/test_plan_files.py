"""A plan's file: what is written is read again, and nothing else is taken for it."""

import json
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_tools import lesson_plan, planned

from idc_aws.changes import Action
from idc_aws.errors import ApplyRefusedError, KitError, RunFailedError
from idc_runner.plans import document
from idc_runner.plans.document import PlannedChange, Widening, read_plan

CHANGES = (
    planned(Action.CREATE, "group", "Auditors", {"description": "look"}),
    planned(
        Action.UPDATE,
        "permission_set",
        "Reader",
        {"session_duration": "PT4H"},
        {"session_duration": "PT1H", "tags": {}},
    ),
    planned(Action.BY_HAND, "console_setting", "sessions", {"user_interactive": "PT8H"}),
    planned(Action.UNCHANGED, "group", "Zoë", {}),
    planned(
        Action.SKIPPED, "account_assignment", "GROUP A · B · 111122223333", {"account_id": "111122223333"}
    ),
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "plan.json"
    widening = Widening("pass_role", True, "permission_set", "Reader", "iam:PassRole on *")
    made = lesson_plan(
        *CHANGES, widenings=(widening,), denied=("sso:CreateGroup",), accounts={"111122223333": "Prod"}
    )
    made.write(path)
    return path, made


def test_a_plan_is_read_as_it_was_written_and_is_its_owners_alone(file):
    path, made = file
    assert read_plan(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_plans_file_begins_with_what_it_is_and_its_changes_come_last(file):
    path, _made = file
    names = list(json.loads(path.read_text()))
    assert names[:5] == ["format", "kit", "made_at", "place", "scenario"]
    assert names[-2:] == ["steps", "digest"]


values = st.none() | st.text(max_size=8) | st.lists(st.text(max_size=4), max_size=2)
states = st.dictionaries(st.text(max_size=4), values, max_size=3)


@settings(max_examples=30)
@given(st.sampled_from([a for a in Action if a is not Action.DELETE]), states, st.none() | states)
def test_any_change_comes_back_from_json(action, wanted, before):
    if action in (Action.CREATE, Action.SKIPPED):
        before = None
    one = planned(action, "group", "Auditors", wanted, before)
    assert PlannedChange.from_json(json.loads(json.dumps(one.as_json()))) == one


def edited(told):
    told["steps"][0]["changes"][0]["wanted"]["description"] = "change"


def of_another_kit(told):
    told["kit"] = "0.0.1"


def of_another_format(told):
    told["format"] = "identity-center-plan/0"


def of_something_else(told):
    told.clear()
    told["resource_changes"] = []


def with_a_deletion(told):
    told["steps"][0]["changes"][0]["action"] = "delete"
    told["digest"] = document._digest(told)


def with_a_step_without_changes(told):
    del told["steps"][0]["changes"]
    told["digest"] = document._digest(told)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (edited, "it was changed after it was made"),
        (of_another_kit, "made by version '0.0.1' of the kit"),
        (of_another_format, "has the format 'identity-center-plan/0'"),
        (of_something_else, "is not a plan of `idc plan`"),
        (with_a_deletion, "a plan deletes nothing"),
        (with_a_step_without_changes, "KeyError: 'changes'"),
    ],
)
def test_a_file_that_is_not_such_a_plan_is_refused_with_the_reason(file, damage, words):
    path, _ = file
    told = json.loads(path.read_text("utf-8"))
    damage(told)
    path.write_text(json.dumps(told), "utf-8")
    with pytest.raises(ApplyRefusedError, match="idc plan") as refused:
        read_plan(path)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is empty"), ('{"format": "identity', "is not a whole plan"), ("[]", "is not a plan")],
)
def test_a_file_that_is_cut_off_is_refused(tmp_path, text, words):
    path = tmp_path / "plan.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ApplyRefusedError, match=words):
        read_plan(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(KitError, match=r"none\.json' cannot be read: No such file"):
        read_plan(tmp_path / "none.json")


SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYzzzzzzzzzKEY"


def test_a_secret_that_somebody_left_on_the_target_does_not_enter_the_file(tmp_path):
    before = {"description": f"aws_secret_access_key={SECRET}", "session_duration": "PT1H"}
    made = lesson_plan(planned(Action.UPDATE, "permission_set", "R", {"session_duration": "PT2H"}, before))
    made.write(tmp_path / "plan.json")
    assert SECRET not in (tmp_path / "plan.json").read_text("utf-8")
    assert read_plan(tmp_path / "plan.json").plan.writes[0].after["session_duration"] == "PT2H"


def test_a_plan_that_would_write_a_secret_is_refused(tmp_path):
    wanted = {"description": f"aws_secret_access_key={SECRET}"}
    with pytest.raises(RunFailedError, match="looks like a secret"):
        lesson_plan(planned(Action.CREATE, "group", "R", wanted)).write(tmp_path / "plan.json")
    assert not (tmp_path / "plan.json").exists()
