from idc_aws.changes import Action, Change, Plan, WriteResult
from idc_helpers.notebook.frames import access_frame
from idc_helpers.notebook.tables import checks_table, outcome_table, plan_table
from idc_helpers.runbook.applying import Outcome
from idc_helpers.runbook.comparing import Check, CheckResults

CREATE = Change(
    Action.CREATE, "permission_set", "A", None, {"tags": {"k": "v"}, "session_duration": "PT1H"}, "new"
)
SAME = Change(Action.UNCHANGED, "group", "B", {"description": "x"}, {"description": "x"}, "is as wanted")
CHANGED = Change(
    Action.UPDATE, "group", "C", {"description": "x", "n": 1}, {"description": "y", "n": 1}, "x → y"
)
HAND = Change(
    Action.BY_HAND, "console_setting", "sessions", None, {"user_interactive": "PT8H"}, "in the console"
)


def test_a_plan_has_a_row_a_change_in_its_order():
    frame = plan_table("", Plan((CREATE, SAME, CHANGED, HAND))).frame()
    assert list(frame.columns) == ["action", "kind", "key", "reason", "values"]
    assert frame["action"].tolist() == ["+ create", "= unchanged", "~ update", "✎ by hand"]
    assert frame["kind"].tolist() == ["permission set", "group", "group", "console setting"]
    assert frame["values"].tolist() == [
        "Tags: k=v\nSession duration: 1 hour",
        "",
        "Description: y",
        "User interactive sessions: 8 hours",
    ]


def test_an_empty_plan_keeps_its_columns():
    assert list(plan_table("", Plan()).frame().columns) == ["action", "kind", "key", "reason", "values"]


def test_an_outcome_names_what_aws_calls_things_and_what_was_left():
    outcome = Outcome(Plan((CREATE, SAME, HAND)), [(CREATE, WriteResult("arn:1", ("r",)))])
    frame = outcome_table("", outcome).frame()
    assert frame.to_numpy().tolist() == [
        ["+ created", "permission set", "A", "arn:1"],
        ["= unchanged", "group", "B", ""],
        ["✎ not set yet: by hand", "console setting", "Session duration", ""],
    ]


def test_an_outcome_is_told_in_the_plans_order_whatever_ended_first():
    done = [(CHANGED, WriteResult("2")), (CREATE, WriteResult("1"))]
    assert outcome_table("", Outcome(Plan((CREATE, CHANGED)), done)).frame().to_numpy()[:, 3].tolist() == [
        "1",
        "2",
    ]


def test_a_check_says_passed_or_failed_in_words():
    frame = checks_table("", CheckResults((Check("a", True, "fine"), Check("b", False, "gone")))).frame()
    assert frame.to_numpy().tolist() == [["✔ passed", "a", "fine"], ["✘ failed", "b", "gone"]]


def test_the_access_matrix_is_sorted_and_shows_accounts_that_nobody_reaches():
    reaches = [
        ("USER zoe", "Dev", "B"),
        ("GROUP ops", "Prod", "B"),
        ("GROUP ops", "Prod", "A"),
        ("GROUP ops", "Prod", "A"),
    ]
    frame = access_frame(reaches, ["Management", "Dev", "Prod"])
    assert frame.index.tolist() == ["GROUP ops", "USER zoe"]
    assert frame.to_numpy().tolist() == [["–", "–", "A, B"], ["–", "B", "–"]]
