from dataclasses import replace

import pytest

from idc_aws.errors import AccessDeniedError, NotFoundError
from idc_aws.project import INTERACTIVE_VARIABLE
from idc_helpers.notebook import exercises
from idc_helpers.notebook.exercises import EXERCISES, NOT_DONE, Exercise, TryIt, list_leftovers
from idc_helpers.notebook.tables import Line, Table
from idc_helpers.runbook import examinations
from idc_helpers.runbook.examinations import CleanUp, Examination, Finding
from idc_helpers.runbook.records import read_events

FOUND = Finding("a group exists", True, "<Auditors>")
MISSING = Finding("it has members", False, "nobody")


@pytest.fixture
def examine(context, monkeypatch):
    """Return an exercise whose examination is given, and let the tests look at what it was asked with."""
    context.connection.instance = "there"
    asked = []

    def exercise_of(examination):
        def look_at(look):
            asked.append(look)
            if isinstance(examination, Exception):
                raise examination
            return examination

        exercise = Exercise(
            "x",
            "06_groups",
            "a <small> thing",
            "Make `{group}`.",
            "By the form:\n    aws create {group} <now>",
            "Nothing remains.",
            look_at,
            {"group": "Auditors"},
        )
        monkeypatch.setitem(exercises.EXERCISES, "x", exercise)
        return exercise

    exercise_of.asked = asked
    return exercise_of


def test_the_task_is_shown_with_a_hint_that_unfolds_and_escaped(context, examine):
    examine(Examination((FOUND,)))
    shown = TryIt(context, "x", {})
    assert repr(shown) == (
        "Try it yourself: a <small> thing\nMake `Auditors`.\nA hint: By the form:\n"
        "    aws create Auditors <now>\nAfterwards: Nothing remains."
    )
    html = shown._repr_html_()
    assert "<code>Auditors</code>" in html
    assert (
        "<details><summary>A hint</summary><p>By the form:</p><pre>aws create Auditors &lt;now&gt;</pre>"
        in html
    )
    assert "A &lt;small&gt; thing" in html


def test_a_trainer_may_give_other_names_and_no_unknown_ones(context, examine):
    examine(Examination((FOUND,)))
    exercise = TryIt(context, "x", {"group": "Readers"})
    assert "`Readers`" in repr(exercise)
    exercise.check("  d-1 ")
    (look,) = examine.asked
    assert (dict(look.names), look.answer) == ({"group": "Readers"}, "d-1")
    with pytest.raises(NotFoundError, match=r"has no name 'grop'\. Did you mean 'group'"):
        TryIt(context, "x", {"grop": "Readers"})


def test_guided_what_is_missing_is_told_beside_what_is_done(context, examine, guided):
    command = "aws identitystore delete-group --group-id 1"
    examine(Examination((FOUND, MISSING), (CleanUp("group", command),)))
    shown = TryIt(context, "x", {}).check()
    assert isinstance(shown, Table)
    assert shown.caption == "A <small> thing: 1 of 2 done"
    assert [row[0] for row in shown.rows] == ["✔ done", "… not yet"]
    assert shown.note.endswith(command)
    assert "&lt;Auditors&gt;" in shown._repr_html_()


def test_headless_what_is_not_done_is_one_line_and_what_is_done_is_shown(context, examine):
    examine(Examination((FOUND, MISSING)))
    assert repr(TryIt(context, "x", {}).check()) == NOT_DONE
    examine(Examination((FOUND,)))
    assert TryIt(context, "x", {}).check().caption.endswith(": done")
    examine(Examination())
    assert repr(TryIt(context, "x", {}).check()) == NOT_DONE, "nothing found is not done"


@pytest.mark.parametrize(
    ("examination", "words"),
    [
        (Examination(unreadable="No API shows this."), "No API shows this."),
        (AccessDeniedError("denied", remedy="Ask for it."), "Not yet: denied Ask for it."),
    ],
)
def test_what_cannot_be_read_fails_no_run(context, examine, monkeypatch, examination, words):
    examine(examination)
    assert repr(TryIt(context, "x", {}).check()) == NOT_DONE
    monkeypatch.setenv(INTERACTIVE_VARIABLE, "guided")
    shown = TryIt(context, "x", {}).check()
    assert isinstance(shown, Line)
    assert repr(shown) == words


def test_a_run_hears_of_an_exercise_and_counts_no_check(context, examine):
    examine(Examination((MISSING,)))
    TryIt(context, "x", {}).check()
    (event,) = read_events(context.run_folder / "events.jsonl")
    assert (event["event"], event["step"], event["done"]) == ("exercise", "x", False)


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_can_be_shown_and_says_what_remains(context, name):
    exercise = TryIt(context, name, {})
    assert exercise.exercise.afterwards
    for text in (repr(exercise), exercise._repr_html_()):
        assert "{group}" not in text
        assert "{{" not in text
    assert "<details>" in exercise._repr_html_()


@pytest.mark.parametrize("name", list(EXERCISES)[:8])
def test_the_administrators_exercises_name_each_of_the_three_doors_once(name):
    lines = EXERCISES[name].hint.splitlines()
    doors = ("Here: ", "Practice console: ", "Terminal")
    assert [sum(line.startswith(door) for line in lines) for door in doors] == [1, 1, 1]


def test_a_duration_is_said_in_words_and_written_for_a_command_as_the_api_wants_it(context):
    text = repr(TryIt(context, "on_call", {"session_duration": "PT90M"}))
    assert "whose session lasts 1 hour 30 minutes" in text
    assert "--session-duration PT90M" in text
    assert "lasts 4 long hours" in repr(TryIt(context, "on_call", {"session_duration": "4 long hours"}))


def test_the_person_of_an_exercise_is_the_scenarios(context):
    assert "`ana`" in repr(TryIt(context, "spare_device", {})), "the first of the users, when none is named"
    assert "`practice`" in repr(TryIt(context, "second_profile", {}))
    assert "`ben`" in repr(TryIt(context, "spare_device", {"user_name": "ben"}))
    nobody = replace(context, scenario=context.scenario.model_copy(update={"users": []}))
    assert "`mary.major`" in repr(TryIt(nobody, "spare_device", {}))


def test_what_the_second_profile_left_is_found_without_a_terminal(context, monkeypatch):
    context.connection.instance = context.connection.instance_or_none = lambda: "there"
    membership = CleanUp("membership", "aws identitystore delete-group-membership")
    monkeypatch.setattr(examinations, "_membership", lambda _look: (FOUND, (membership,)))
    monkeypatch.setattr(examinations, "sandbox_terminal", lambda _at: pytest.fail("asked of a terminal"))
    assert membership in list_leftovers(context)


@pytest.mark.usefixtures("guided")
@pytest.mark.parametrize(
    ("answer", "asked"), [(150265473919, "150265473919"), (None, ""), (" d-1 ", "d-1"), (["a"], "['a']")]
)
def test_an_answer_of_any_kind_is_looked_at(context, examine, answer, asked):
    examine(Examination((FOUND,)))
    TryIt(context, "x", {}).check(answer=answer)
    assert examine.asked[-1].answer == asked
