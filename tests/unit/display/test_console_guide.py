import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from idc_aws.errors import CheckFailedError
from idc_aws.project import PAGES_VARIABLE
from idc_aws.scenario.scenario import Scenario
from idc_aws.settings import CONSOLE_SETTINGS
from idc_helpers.notebook.console_guide import ConsoleGuide, Doors, console_guide, format_choices
from idc_helpers.notebook.forms.panels import AttestationPanel
from idc_helpers.notebook.steps import NotebookStep
from idc_helpers.runbook.lesson import LESSON, target_steps
from idc_helpers.runbook.steps import Step
from idc_sandbox.pages.application import console_pages

MFA = "multi_factor_authentication"
REVIEW_SHOWS = "Terminal, with the AWS CLI commands that Review shows"
NO_API = {
    "instance": "no API enables an organization instance",
    **dict.fromkeys(("access_portal", "standard_authentication", MFA, "sessions"), "no API sets it"),
}
INSTANCE = SimpleNamespace(instance_arn="arn:aws:sso:::instance/ssoins-7223abcdef012345", region="us-east-1")


@pytest.fixture
def on_aws(context, memory):
    """A run where only a person can set what the console has."""
    memory.resource("console_setting").by_hand = True
    return replace(context, scenario=Scenario())


def test_the_guide_uses_the_words_on_the_screen(on_aws):
    text = repr(NotebookStep(on_aws, MFA).console_guide())
    assert "Settings → Authentication → Multi-factor authentication → Configure" in text
    assert "Prompt users for MFA: Only when their sign-in context changes (context-aware)" in text
    assert "Require them to register an MFA device at sign in" in text
    assert "docs.aws.amazon.com" in text
    assert "to be set by hand" in text


def test_a_value_without_a_label_is_shown_as_it_is():
    assert format_choices({"subdomain": "Subdomain"}, {"subdomain": "acme"}) == (("Subdomain", "acme"),)
    assert format_choices({"allowed_types": "Types"}, {"allowed_types": []}) == (("Types", "(none)"),)


def test_headless_the_guide_is_text_and_guided_it_has_a_form(on_aws, monkeypatch):
    step = NotebookStep(on_aws, MFA)
    assert not isinstance(step.console_guide(), AttestationPanel)
    monkeypatch.setenv("IDC_INTERACTIVE", "guided")
    assert isinstance(step.console_guide(), AttestationPanel)


def test_what_was_attested_counts_as_set(on_aws, monkeypatch, capsys):
    step = NotebookStep(on_aws, MFA)
    with pytest.raises(CheckFailedError, match="nobody has attested it"):
        step.check()
    (guide,) = step.console_guide().to_record
    on_aws.attestations.record(guide.setting, guide.wanted, by="ana", seen="as wanted", instance_arn="")
    assert step.console_guide().to_record == ()
    assert "attested by ana" in repr(step.console_guide())
    assert step.check().rows[0][0] == "✔ passed"
    monkeypatch.setenv("IDC_INTERACTIVE", "guided")
    assert not isinstance(step.console_guide(), AttestationPanel)


def test_in_the_sandbox_the_guide_says_that_apply_sets_it(context):
    guide = NotebookStep(context, MFA).console_guide()
    assert guide.to_record == ()
    assert "when you apply" in repr(guide)


class Console:
    def pages(self):
        site = "http://localhost:8723"
        return {"site_url": site, "console_url": f"{site}/start/practice-console?key=k"}


@pytest.fixture
def in_the_sandbox(context, memory):
    memory.resource("instance").by_hand = True
    connection = replace(context.target_connection, console=Console())
    return replace(context, target_connection=connection, scenario=Scenario(instance={"name": "practice"}))


@pytest.mark.parametrize(("step", "screen"), [(MFA, "settings/authentication/mfa"), ("instance", "enable")])
@pytest.mark.parametrize(
    ("interactive", "pages", "link"),
    [
        ("headless", "", ""),
        ("headless", "/hub", ""),
        ("guided", "/hub", "/hub/start/practice-console/{screen}"),
        ("guided", "", "http://localhost:8723/start/practice-console/{screen}?key=k"),
    ],
)
def test_in_the_sandbox_a_guide_leads_to_its_screen_and_never_to_aws(
    in_the_sandbox, monkeypatch, step, screen, interactive, pages, link
):
    monkeypatch.setenv("IDC_INTERACTIVE", interactive)
    monkeypatch.setenv(PAGES_VARIABLE, pages)
    (guide,) = console_guide(NotebookStep(in_the_sandbox, step).step).guides
    shown = ConsoleGuide("", (guide,))
    assert guide.link == link.format(screen=screen)
    assert f"/start/practice-console/{screen}" in repr(shown)
    for text in (repr(shown), shown._repr_html_()):
        assert "In the practice console: " in text
        assert "console.aws.amazon.com" not in text
    assert ("open the practice console" in shown._repr_html_()) is bool(link)


def test_a_step_that_needs_no_console_says_so(context):
    assert "nothing to do in the console" in repr(NotebookStep(context, "groups").console_guide())


def test_enabling_names_what_the_page_asks_and_keeps_a_learner_from_a_key_that_costs(on_aws, memory):
    memory.resource("instance").by_hand = True
    text = repr(
        NotebookStep(
            replace(on_aws, scenario=Scenario(instance={"name": "practice"})), "instance"
        ).console_guide()
    )
    assert "Region (top right): us-east-1" in text
    assert "Instance configuration, where it is asked: Single-Region instance" in text
    assert "Enable multi-account permissions, where it is asked: on" in text
    assert "Afterwards, in Settings → Details → Edit: instance name: practice" in text


def doors(context, name):
    """Return a step's doors as one text, and the address that its link leads to."""
    html = Doors.of(Step(context, name))._repr_html_()
    link = re.search(r'<a href="([^"]+)"', html)
    return re.sub("<[^>]+>", "", html), link[1] if link else ""


@pytest.fixture(params=[name for name, step in LESSON.items() if step.wants and not step.only_reads])
def a_step(request, memory, monkeypatch):
    """Each step that has a panel, by its name."""
    monkeypatch.setitem(LESSON, request.param, replace(LESSON[request.param], wants=(None,)))
    return request.param


def test_each_step_names_its_doors_and_leads_to_its_screen(a_step, in_the_sandbox, monkeypatch):
    monkeypatch.setenv("IDC_INTERACTIVE", "guided")
    monkeypatch.setenv(PAGES_VARIABLE, "/hub")
    screen, no_api = LESSON[a_step].screen, NO_API.get(a_step)
    text, link = doors(in_the_sandbox, a_step)
    here = f"doors to the same result: Here, with this form · Practice console → {screen.words}"
    assert text == (
        (
            f"Two {here}. The terminal is no door here: {no_api}."
            if no_api
            else f"Three {here} · {REVIEW_SHOWS}."
        )
        + " Then press Check: it does not care which door you took."
    )
    assert link == f"/hub/start/practice-console/{screen.path}"
    assert link.removeprefix("/hub") in [path for path, *_ in console_pages()]


def test_on_aws_each_step_leads_to_the_console_there(a_step, context, monkeypatch):
    monkeypatch.setenv("IDC_INTERACTIVE", "guided")
    text, link = doors(context, a_step)
    assert "AWS console → " in text
    only_console = f"This form and the terminal are no door here: {NO_API.get(a_step)}."
    assert (text.startswith("One door: AWS console → ") and only_console in text) is (a_step in NO_API)
    assert link == "https://us-east-1.console.aws.amazon.com/singlesignon/home", "there is no instance"
    monkeypatch.setattr(type(context.connection), "instance_or_none", lambda _: INSTANCE)
    home, _, page = doors(context, a_step)[1].partition("#")
    assert home == "https://us-east-1.console.aws.amazon.com/singlesignon/home?region=us-east-1"
    assert page.startswith("!/instances/7223abcdef012345/")


def test_an_account_instance_has_an_api(context):
    context = replace(context, scenario=Scenario(instance={"kind": "account", "name": "mine"}))
    assert REVIEW_SHOWS in doors(context, "instance")[0]


def test_a_panel_names_the_doors_with_a_fresh_link_and_a_step_without_a_screen_has_none(context, monkeypatch):
    monkeypatch.setenv("IDC_INTERACTIVE", "guided")
    step = NotebookStep(context, "groups")
    before = step.take().box.children[2].value
    assert "Three doors to the same result" in before
    monkeypatch.setattr(type(context.connection), "instance_or_none", lambda _: INSTANCE)
    assert "/groups" in step.take().box.children[2].value != before, "a link may be one that works once"
    monkeypatch.setitem(LESSON, "groups", replace(LESSON["groups"], screen=None))
    assert Doors.of(Step(context, "groups"))._repr_html_() == ""


def test_every_step_that_reads_or_writes_has_a_screen():
    assert [name for name in target_steps() if LESSON[name].screen is None] == []
    assert {name for name in target_steps() if LESSON[name].no_api} == set(NO_API)
    ways = {name: LESSON[name].screen.words for name in CONSOLE_SETTINGS}
    assert ways == {name: setting.console_path for name, setting in CONSOLE_SETTINGS.items()}
