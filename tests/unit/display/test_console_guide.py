from dataclasses import replace

import pytest

from idc_aws.errors import CheckFailedError
from idc_aws.project import PAGES_VARIABLE
from idc_aws.scenario.scenario import Scenario
from idc_helpers.notebook.console_guide import ConsoleGuide, console_guide, format_choices
from idc_helpers.notebook.forms.panels import AttestationPanel
from idc_helpers.notebook.steps import NotebookStep

MFA = "multi_factor_authentication"


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
