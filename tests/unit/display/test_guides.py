import json
from dataclasses import replace

import pytest
from test_panels import find, texts

from idc_helpers.notebook.console_guide import ConsoleGuide, Guide
from idc_helpers.notebook.forms.panels import AttestationPanel

GUIDE = Guide(
    setting="sessions",
    title="Sessions",
    path="Settings → Authentication → Configure",
    link="https://us-east-1.console.aws.amazon.com/singlesignon/home?region=us-east-1&x=1",
    choices=(("User interactive sessions", "PT8H"),),
    why="Long sessions are <convenient>.",
    source="https://docs.aws.amazon.com/singlesignon/latest/userguide/user-interactive-sessions.html",
    wanted={"user_interactive": "PT8H"},
    state="to be set by hand",
)


def test_the_text_names_path_value_reason_and_page():
    text = repr(ConsoleGuide("Sessions", (GUIDE,)))
    for part in (GUIDE.path, GUIDE.link, "User interactive sessions: PT8H", GUIDE.why, GUIDE.source):
        assert part in text


def test_the_page_is_escaped_and_links():
    html = ConsoleGuide("Sessions", (GUIDE,))._repr_html_()
    assert "&lt;convenient&gt;" in html
    assert f'href="{GUIDE.link.replace("&", "&amp;")}"' in html


def test_nothing_to_do_is_said():
    assert "nothing to do" in repr(ConsoleGuide("Sessions", ()))


@pytest.fixture
def panel(context, guided):
    calls = []
    panel = AttestationPanel(ConsoleGuide("Sessions", (GUIDE,), (GUIDE,)), context, lambda: calls.append(1))
    panel.calls = calls
    return panel


def test_a_record_names_who_what_and_when(panel, context):
    find(panel, "Who did it").value = "ana"
    find(panel, "What the console shows now").value = "8 hours"
    find(panel, "Record that it is set").click()
    assert "✔ Recorded: ana" in texts(panel)
    (line,) = (context.run_folder / "attestations.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["value"] == {"user_interactive": "PT8H"}
    assert context.attestations.find("sessions", {"user_interactive": "PT8H"}, "").by == "ana"
    assert panel.calls == [1]
    assert find(panel, "Record that it is set").disabled


@pytest.mark.parametrize(("by", "seen"), [("", "8 hours"), ("ana", " ")])
def test_half_a_record_is_refused(panel, context, by, seen):
    find(panel, "Who did it").value = by
    find(panel, "What the console shows now").value = seen
    find(panel, "Record that it is set").click()
    assert "✘" in texts(panel)
    assert not (context.run_folder / "attestations.jsonl").exists()
    assert panel.calls == []


def test_what_is_set_already_has_no_form(context, guided):
    panel = AttestationPanel(
        ConsoleGuide("Sessions", (replace(GUIDE, state="attested"),)), context, lambda: None
    )
    assert "Record that it is set" not in [
        getattr(w, "description", "") for w in panel.box.children[1].children
    ]
