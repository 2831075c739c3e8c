"""The lesson as a picture and as a line: links, words beside colours, and the same text each time."""

import re
from html import escape

import pytest

from idc_helpers.notebook.lesson_map import Heading, LessonLine, LessonMap, lesson_line
from idc_helpers.runbook.lesson import LESSON
from idc_helpers.runbook.progress import StepReading, StepState


def readings(**states):
    """All steps; ``s10="WAITING"`` gives the tenth another state than done."""
    return tuple(
        StepReading(
            entry, StepState[states.get(f"s{entry.number}", "DONE")], "why <so>" * (entry.number == 10)
        )
        for entry in LESSON.values()
    )


PICTURE = LessonMap(readings(s10="CHANGED_OUTSIDE", s11="NOT_APPLIED", s14="WAITING", s15="LATER"))


def test_the_picture_holds_every_step_once_with_a_link_to_its_heading_and_its_state_in_words():
    html = PICTURE._repr_html_()
    steps = re.findall(r'<li class="idc-step[^>]*>(.*?)</li>', html)
    assert len(steps) == 20
    for step, reading in zip(steps, PICTURE.readings, strict=True):
        assert f'<a href="{escape(reading.entry.link)}">{reading.entry.number} · ' in step
        assert f"{reading.state.symbol} {reading.state.word}" in step


def test_links_are_relative_and_lead_to_the_heading_as_lab_names_it():
    links = {entry.number: entry.link for entry in LESSON.values()}
    assert links[10] == "05_permission_sets.ipynb#Choose"
    assert links[3] == "02_settings.ipynb#Attributes-for-access-control"
    assert links[5] == "02_settings.ipynb#The-access-portal's-address"
    assert not [link for link in links.values() if set("/ %") & set(link)]


def test_the_picture_says_where_to_go_on_and_what_was_changed_outside():
    html = PICTURE._repr_html_()
    assert "16 of 20 steps done, 1 changed outside." in html
    assert 'Continue with <a href="05_permission_sets.ipynb#Choose">10 · Permission sets</a>' in html
    assert html.count('aria-current="step"') == 1


def test_what_nobody_can_see_is_gone_on_with_too():
    html = LessonMap(readings(s17="BY_YOURSELF", s18="LATER"))._repr_html_()
    assert ">17 · Use the profile: aws s3 ls</a>.</p>" in html


def test_a_lesson_that_is_done_has_nothing_to_go_on_with():
    html = LessonMap(readings())._repr_html_()
    assert "20 of 20 steps done." in html
    assert "Continue with" not in html
    assert "aria-current" not in html


def test_what_the_target_says_is_never_markup():
    assert "why <so>" not in PICTURE._repr_html_()
    assert "why &lt;so&gt;" in PICTURE._repr_html_()


def test_the_picture_loads_nothing_and_runs_nothing():
    html = PICTURE._repr_html_()
    assert not re.search(r"https?:|<script|src=|@import|url\(", html)


def test_the_text_is_a_table_of_the_same():
    lines = repr(PICTURE).splitlines()
    assert lines[0] == "The lesson, step by step: 16 of 20 steps done, 1 changed outside"
    assert len(lines) == 23
    assert "≠ changed outside: why <so>" in lines[12]
    assert PICTURE.table.columns == ("step", "what you do", "notebook", "who can do it", "state")


def test_the_line_names_the_notebooks_place_and_joins_neighbours_of_one_state():
    line = LessonLine((10,), PICTURE.readings)
    assert repr(line) == (
        "Step 10 of 20 · ✔ 1–9 done · ≠ 10 changed outside (why <so>) · ○ 11 not applied · ✔ 12–13 done"
        " · ✎ 14 waiting for you · … 15 later · ✔ 16–20 done"
    )
    assert '<a href="06_groups.ipynb#Choose">○ 11 not applied</a>' in line.html()
    assert "(why &lt;so&gt;)" in line.html()


@pytest.mark.parametrize(
    ("own", "place"),
    [((2, 3, 4, 5), "Steps 2–5 of 20"), ((10,), "Step 10 of 20"), ((), "The lesson: 20 steps")],
)
def test_the_line_says_where_a_notebook_stands(own, place):
    assert repr(LessonLine(own, ())) == place


def test_the_heading_is_text_and_html_of_the_same():
    bundle = Heading("sandbox <x>", LessonLine((10,), ()))._repr_mimebundle_()
    assert bundle["text/plain"] == "sandbox <x>\nStep 10 of 20"
    assert "sandbox &lt;x&gt;" in bundle["text/html"]


def test_headless_only_the_notebooks_own_steps_are_read(context, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "idc_helpers.notebook.lesson_map.read_states", lambda _, numbers=(): asked.append(numbers) or ()
    )
    lesson_line(context)
    monkeypatch.setenv("IDC_INTERACTIVE", "guided")
    lesson_line(context)
    context.connection.is_sandbox = False
    lesson_line(context)
    assert asked == [(10,), (), (10,)]
