"""A form never works on a place that is not on the screen: what was opened before another place refuses."""

import pytest
from test_guides import GUIDE
from test_panels import enabled, find, texts, walk

from idc_aws.errors import ClosedRunbookError, CredentialsError, KitError, ParametersError
from idc_helpers.notebook import runbook
from idc_helpers.notebook.console_guide import ConsoleGuide
from idc_helpers.notebook.forms.panels import AttestationPanel
from idc_helpers.notebook.runbook import open_runbook
from idc_helpers.runbook import run

pytestmark = pytest.mark.usefixtures("guided")

APPLY = "Apply in the sandbox"


@pytest.fixture
def connections(memory, monkeypatch):
    """What `connect` answers, by target; an exception is raised."""
    aws = type(memory)(target="aws", region="eu-central-1", is_sandbox=False)
    answers = {"sandbox": memory, "aws": aws}

    def connect(*, target, **_):
        if isinstance(answers[target], Exception):
            raise answers[target]
        return answers[target]

    monkeypatch.setattr(run, "connect", connect)
    monkeypatch.setattr(runbook, "_OPENED", [])
    return answers


@pytest.fixture
def open_it(connections, tmp_path):
    def open_it(target="sandbox", **parameters):
        return open_runbook(
            "05_permission_sets", target=target, run_folder=str(tmp_path / "run"), **parameters
        )

    return open_it


@pytest.fixture
def writes(connections):
    """Return what was written, wherever."""

    def written():
        return [
            call
            for connection in connections.values()
            for resource in getattr(connection, "resources", {}).values()
            for call in resource.calls
        ]

    return written


def missing_file(open_it, connections):
    open_it(scenario_file="/nowhere/mine.yaml")


def no_credentials(open_it, connections):
    connections["aws"] = CredentialsError("there are no credentials")
    open_it("aws")


def unknown_parameter(open_it, connections):
    open_it(permision_sets=[])


def refused_value(open_it, connections):
    open_it(mode="aply")


def fault_of_the_kit(open_it, connections):
    connections["aws"] = ZeroDivisionError("a fault")
    open_it("aws")


def another_place(open_it, connections):
    open_it("aws")


def another_region(open_it, connections):
    connections["sandbox"] = type(connections["sandbox"])(region="eu-west-1")
    open_it(region="eu-west-1")


def another_state(open_it, connections):
    connections["sandbox"] = type(connections["sandbox"])(state_id="of-a-sandbox-that-was-reset")
    open_it()


def another_mode(open_it, connections):
    open_it(mode="plan")


AFTERWARDS = {
    missing_file: "a later `open_runbook` failed .ParametersError: .*mine.yaml",
    no_credentials: "a later `open_runbook` failed .CredentialsError: there are no credentials.",
    unknown_parameter: "a later `open_runbook` failed .ParametersError: .*permision_sets",
    refused_value: "a later `open_runbook` failed .ParametersError: ",
    fault_of_the_kit: "a later `open_runbook` failed .ZeroDivisionError: a fault.",
    another_place: "a later `open_runbook` opened AWS account 111122223333, Region eu-central-1 in mode",
    another_region: "a later `open_runbook` opened the sandbox, Region eu-west-1 in mode 'apply'",
    another_state: "a later `open_runbook` opened the sandbox, Region us-east-1 in mode 'apply'",
    another_mode: "a later `open_runbook` opened the sandbox, Region us-east-1 in mode 'plan'",
}
AFTER_EACH = pytest.mark.parametrize(
    ("happens", "why"), AFTERWARDS.items(), ids=[happens.__name__ for happens in AFTERWARDS]
)


def make(happens, open_it, connections):
    try:
        happens(open_it, connections)
    except (KitError, ZeroDivisionError):
        return


USES = {
    "a step": lambda old: old["runbook"].step("groups"),
    "a step that was made": lambda old: old["runbook"].step("permission_sets"),
    "its form": lambda old: old["step"].take(),
    "what it wants": lambda old: old["step"].wanted(),
    "its plan": lambda old: old["step"].plan(),
    "its apply": lambda old: old["step"].apply(),
    "its check": lambda old: old["step"].check(),
    "its console guide": lambda old: old["step"].console_guide(),
    "the gate's plan": lambda old: old["step"].step.review(),
    "the gate's apply": lambda old: old["step"].step.apply_reviewed(),
    "the undo's plan": lambda old: old["step"].undo.review(),
    "the undo's apply": lambda old: old["step"].undo.apply_reviewed(),
    "the teardown": lambda old: old["runbook"].teardown(),
    "the teardown's form": lambda old: old["teardown"].take(),
    "the teardown's plan": lambda old: old["teardown"].plan(),
    "the teardown's apply": lambda old: old["teardown"].apply(),
    "the teardown's check": lambda old: old["teardown"].check(),
    "the lesson's map": lambda old: old["runbook"].lesson_map(),
    "a table": lambda old: old["runbook"].permission_sets(),
    "the pages": lambda old: old["runbook"].pages(),
    "an exercise": lambda old: old["exercise"].check(),
    "an activation": lambda old: old["activation"].do(),
    "a command line": lambda old: old["command line"].apply(),
    "temporary credentials": lambda old: old["credentials"].compare(),
}


@pytest.fixture
def old(open_it):
    """What a notebook holds after its cells were run, with a plan on the screen and something applied."""
    runbook = open_it()
    step = runbook.step("permission_sets")
    panel = step.take()
    find(panel, "Review").click()
    find(panel, APPLY).click()
    find(panel, "Undo this step …").click()
    teardown = runbook.teardown()
    teardown_panel = teardown.take()
    find(teardown_panel, "Review what will be undone").click()
    step.step.review()
    command_line = runbook.command_line()
    return {
        "runbook": runbook,
        "step": step,
        "panel": panel,
        "teardown": teardown,
        "teardown panel": teardown_panel,
        "exercise": runbook.try_it("on_call"),
        "activation": runbook.activation(),
        "command line": command_line,
        "credentials": runbook.temporary_credentials(command_line),
    }


@AFTER_EACH
def test_whatever_holds_it_what_was_opened_before_refuses_and_writes_nothing(
    old, happens, why, open_it, connections, writes
):
    make(happens, open_it, connections)
    before = writes()
    for use in USES.values():
        with pytest.raises(ClosedRunbookError, match=why) as refused:
            use(old)
        assert str(refused.value).startswith("this belongs to the sandbox, Region us-east-1, and a later")
        assert "Run the cell with `open_runbook`" in refused.value.remedy
    assert writes() == before


@AFTER_EACH
def test_buttons_on_the_screen_are_locked_and_their_form_says_why(
    old, happens, why, open_it, connections, writes
):
    make(happens, open_it, connections)
    before = writes()
    panel = old["panel"]
    assert enabled(panel) == []
    assert find(panel, "Session duration").disabled
    assert "✘ Closed: this belongs to the sandbox, Region us-east-1" in texts(panel)
    for shown in (panel, old["teardown panel"]):
        for widget in walk(shown.box):
            if type(widget).__name__ == "Button" and widget.description != "Save":
                widget.disabled = False  # a browser's click may have been on its way
                widget.click()
    assert writes() == before
    assert repr(old["runbook"]).startswith("✘ Closed: this belongs to")
    assert old["runbook"]._repr_mimebundle_() == {"text/plain": repr(old["runbook"])}


def test_the_same_place_opened_again_leaves_forms_as_they_are(old, open_it, writes):
    again = open_it()
    assert again.step("permission_sets").plan()
    old["step"].values.set([{"predefined": "ReadOnlyAccess"}])
    find(old["panel"], "Review").click()
    before = len(writes())
    find(old["panel"], APPLY).click()
    assert len(writes()) == before + 1


def test_what_failed_to_open_is_open_again_after_the_next_success(old, open_it, connections):
    make(missing_file, open_it, connections)
    again = open_it()
    assert len(again.step("permission_sets").plan()) == 3
    with pytest.raises(ClosedRunbookError):
        old["step"].plan()


def test_an_apply_that_is_running_ends_and_nothing_opens_after_it(old, open_it, connections, memory):
    step, panel = old["step"], old["panel"]
    step.values.set([{"predefined": "ReadOnlyAccess"}, {"predefined": "PowerUserAccess"}])
    resource = memory.resource("permission_set")
    resource.before_writing = lambda change: make(no_credentials, open_it, connections)
    find(panel, "Review").click()
    find(panel, APPLY).click()
    assert {"ReadOnlyAccess", "PowerUserAccess"} <= set(resource.states), "it was reviewed and confirmed"
    assert "Done for “Permission sets”" in texts(panel)
    assert "It could not be checked" in texts(panel)
    assert enabled(panel) == []


def test_a_record_is_refused_too(context):
    panel = AttestationPanel(ConsoleGuide("Sessions", (GUIDE,), (GUIDE,)), context, lambda: None)
    context.opening.close("this belongs to the sandbox, and a later `open_runbook` failed")
    find(panel, "Who did it").value = "Ana"
    find(panel, "What the console shows now").value = "eight hours"
    find(panel, "Record that it is set").click()
    assert "✘ this belongs to the sandbox" in texts(panel)
    assert not (context.run_folder / "attestations.jsonl").exists()


@pytest.mark.parametrize(
    ("target", "button", "words", "style"),
    [
        ("sandbox", "Apply in the sandbox", "The sandbox, Region us-east-1", "primary"),
        (
            "aws",
            "Apply to AWS account 111122223333, eu-central-1",
            "AWS account 111122223333, Region eu-central-1",
            "danger",
        ),
    ],
)
def test_form_plan_outcome_and_buttons_name_their_place(open_it, target, button, words, style, monkeypatch):
    step = open_it(target, mode="apply", expected_account="111122223333").step("permission_sets")
    panel = step.take()
    assert find(panel, button).button_style == style
    assert find(panel, button.replace("Apply", "Confirm the undo"))
    assert texts(panel).count(words) == 1
    find(panel, "Review").click()
    assert texts(panel).count(words) == 2
    find(panel, button).click()
    assert "3 created" in texts(panel)
    assert texts(panel).count(words) == 2
    shown = words[:1].lower() + words[1:] if target == "sandbox" else words
    assert repr(step.plan()).startswith(f"[{shown}] Plan for")
    assert ('class="idc-place idc-aws"' in step.plan()._repr_html_()) is (target == "aws")
    monkeypatch.setenv("IDC_INTERACTIVE", "headless")
    assert repr(step.apply()).startswith(f"[{shown}] Done for")
    assert repr(step.wanted()).startswith(f"[{shown}] Wanted for")


def test_a_run_folder_that_is_a_file_is_refused_before_anything_is_connected(connections, tmp_path):
    connections["sandbox"] = AssertionError("connected")
    (tmp_path / "a.yaml").write_text("", "utf-8")
    with pytest.raises(
        ParametersError, match=r"run_folder: '.*a\.yaml' is a file, not a folder\. Name a folder"
    ):
        open_runbook("05_permission_sets", run_folder=str(tmp_path / "a.yaml"))
