import asyncio
import threading
from contextlib import suppress
from dataclasses import replace
from html import unescape

import pytest
from patience import PATIENCE_S

from idc_aws.errors import ReceiptError, ThrottledError
from idc_aws.scenario.scenario import Scenario
from idc_helpers.notebook.steps import NotebookStep, NotebookTeardown
from idc_helpers.notebook.tables import ASKS_FROM
from idc_helpers.runbook.steps import StepUndo

pytestmark = pytest.mark.usefixtures("guided")


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def find(panel, description):
    (found,) = [widget for widget in walk(panel.box) if getattr(widget, "description", None) == description]
    return found


def texts(panel):
    return " ".join(widget.value for widget in walk(panel.box) if type(widget).__name__ == "HTML")


def type_in(panel, label, value):
    """Choose or type a value in the field of that label."""
    widget = find(panel, label)
    if type(widget).__name__ == "Dropdown" and value not in [option for _, option in widget.options]:
        (other,) = [option for text, option in widget.options if text.startswith("Another")]
        widget.value = other
        widget = next(
            one for one in walk(panel.box) if getattr(one, "description", "").startswith(f"{label}: another")
        )
    widget.value = value


def value_of(panel, label):
    return find(panel, label).value


@pytest.fixture
def step(context):
    return NotebookStep(context, "permission_sets")


@pytest.fixture
def panel(step):
    return step.take()


def enabled(panel):
    names = ("Review", "Apply in the sandbox", "Undo this step …", "Confirm the undo in the sandbox")
    return [name for name in names if not find(panel, name).disabled]


def test_the_form_is_seeded_from_the_scenario(panel):
    chooser = find(panel, "Shown")
    assert [label for label, _ in chooser.options] == ["1. AdministratorAccess", "2. Auditor"]
    assert find(panel, "Permission set name").value == "AdministratorAccess"
    chooser.value = 1
    assert find(panel, "Permission set name").value == "Auditor"
    assert find(panel, "AWS managed policies").value == "ReadOnlyAccess"
    assert find(panel, "Session duration").value == "PT1H"


def test_the_help_leaves_out_what_only_yaml_needs(context):
    shown = texts(NotebookStep(context, "users").take())
    assert "Often used for access control." in shown
    assert "YAML" not in shown
    assert "in quotes" not in shown


def test_every_field_has_a_label_and_the_help_of_its_model(panel):
    assert "never changed later" in texts(panel)
    for widget in walk(panel.box):
        if hasattr(widget, "value") and type(widget).__name__ != "HTML":
            assert widget.description


def test_apply_opens_only_after_a_plan_of_the_present_values(panel, memory):
    assert "Apply in the sandbox" not in enabled(panel)
    find(panel, "Review").click()
    assert "Apply in the sandbox" in enabled(panel)
    type_in(panel, "Session duration", "PT2H")
    assert "Apply in the sandbox" not in enabled(panel)
    find(panel, "Apply in the sandbox").click()  # on its way when the button was locked
    assert memory.resource("permission_set").calls == []
    assert "ApplyRefusedError" not in texts(panel)
    find(panel, "Review").click()
    assert "Session duration: 2 hours" in texts(panel)
    find(panel, "Apply in the sandbox").click()
    assert memory.resource("permission_set").states["AdministratorAccess"]["session_duration"] == "PT2H"
    assert "2 created" in texts(panel)
    assert "Apply in the sandbox" not in enabled(panel)


def test_apply_counts_for_the_plan_that_the_panel_shows_and_for_no_other(step, panel):
    find(panel, "Review").click()
    step.plan()  # another one, below a cell
    assert "Apply in the sandbox" not in enabled(panel)
    find(panel, "Review").click()
    assert "Apply in the sandbox" in enabled(panel)
    find(panel, "Check").click()
    assert "Apply in the sandbox" not in enabled(panel)


def test_a_wrong_value_is_named_beside_its_field_and_locks_apply(panel, step):
    type_in(panel, "Session duration", "PT13H")
    find(panel, "Review").click()
    assert "✘ 13 hours is not possible" in texts(panel)
    assert "Choose from 1 hour to 12 hours." in texts(panel)
    assert "1 value needs fixing" in texts(panel)
    assert "Apply in the sandbox" not in enabled(panel)
    assert find(panel, "Shown").options[0][0] == "✘ 1. AdministratorAccess"
    type_in(panel, "Session duration", "PT3H")
    assert step.step.problems == ()
    assert "needs fixing" not in texts(panel)


def test_a_wrong_value_of_a_hidden_item_is_still_named(panel, step):
    type_in(panel, "Session duration", "PT13H")
    find(panel, "Shown").value = 1
    assert "1 value needs fixing: Session duration of no. 1. Apply stays disabled" in texts(panel)
    find(panel, "Shown").value = 0
    assert find(panel, "Session duration: another length").value == "13 hours"


def test_items_are_added_and_removed(panel, step):
    find(panel, "Add another").click()
    type_in(panel, "Policy for predefined permission set", "ReadOnlyAccess")
    assert find(panel, "Permission set name").value == "ReadOnlyAccess"
    assert [row["name"] for row in step.values.values] == ["AdministratorAccess", "Auditor", "ReadOnlyAccess"]
    assert step.step.problems == ()
    for _ in range(3):
        find(panel, "Remove this one").click()
    assert step.values.values == []
    assert "None yet." in texts(panel)


def test_a_new_item_is_quiet_until_something_is_typed_into_it(panel, step):
    before = step.values.values
    find(panel, "Review").click()
    find(panel, "Add another").click()
    find(panel, "Add another").click()
    assert find(panel, "Shown").options[-1] == ("3. (new)", 2)
    assert "Apply in the sandbox" in enabled(panel)
    assert ("✘" in texts(panel), step.values.values) == (False, before)
    assert find(step.take(), "Shown").value == 2, "its cell was run again"
    find(panel, "Review").click()
    assert "No. 3 is still empty and is left out. It needs: Permission set name." in texts(panel)
    find(panel, "Shown").value = 0
    find(panel, "Remove this one").click()
    assert [label for label, _ in find(panel, "Shown").options] == ["1. Auditor", "2. (new)"]
    find(panel, "Shown").value = 1
    type_in(panel, "Description – optional", "What for?")
    assert "✘ Permission set name is missing." in texts(panel)
    assert "1 value needs fixing: Permission set name of no. 2" in texts(panel)
    find(panel, "Review").click()
    assert "✘ No. 2: Permission set name is missing." in texts(panel)
    find(panel, "Remove this one").click()
    assert step.step.problems == ()


def test_a_form_whose_cell_is_run_again_still_shows_the_same_item(panel, step):
    find(panel, "Shown").value = 1
    again = step.take()
    assert (find(again, "Shown").value, find(again, "Permission set name").value) == (1, "Auditor")
    find(again, "Add another").click()
    find(again, "Review").click()
    assert "No. 3 is still empty and is left out." in texts(again), "of this form, not of the one before"


def test_an_empty_list_whose_cell_is_run_again_stays_empty(context):
    step = NotebookStep(context, "groups")
    panel = step.take()
    while find(panel, "Shown").options:
        find(panel, "Remove this one").click()
    step.take()
    find(panel, "Review").click()
    assert (find(panel, "Shown").options, "still empty" in texts(panel)) == ((), False)


def test_another_predefined_one_leaves_no_policy_of_the_first_behind(panel, step):
    type_in(panel, "Policy for predefined permission set", "ReadOnlyAccess")
    (wanted, _) = step.step.scenario.permission_sets
    assert (wanted.name, wanted.managed_policies) == (
        "ReadOnlyAccess",
        ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
    )


def test_a_policy_is_typed_as_json_and_refused_with_its_place(panel, step):
    type_in(panel, "Inline policy", '{"Statement": [')
    assert "is not JSON" in texts(panel)
    type_in(
        panel,
        "Inline policy",
        '{"Statement": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}}',
    )
    assert step.step.scenario.permission_sets[0].inline_policy["Statement"]["Action"] == "s3:ListBucket"


def test_lines_and_pairs_become_lists_and_mappings(panel, step):
    type_in(panel, "Customer managed policies", "/finance/ReadLedger\nSimple")
    type_in(panel, "Tags", "Team = Security\nPurpose=a=b")
    wanted = step.step.scenario.permission_sets[0]
    assert [(policy.path, policy.name) for policy in wanted.customer_managed_policies] == [
        ("/finance/", "ReadLedger"),
        ("/", "Simple"),
    ]
    assert wanted.tags == {"Team": "Security", "Purpose": "a=b"}


def test_showing_the_form_again_keeps_what_was_typed(panel, step):
    type_in(panel, "Session duration", "PT5H")
    assert step.take() is panel
    assert find(step.take(), "Session duration").value == "PT5H"
    type_in(panel, "Session duration", "PT13H")
    assert "1 value needs fixing" in texts(step.take())
    assert find(panel, "Session duration: another length").value == "13 hours"


def test_running_the_form_cell_again_offers_what_is_there_by_now(context):
    step = NotebookStep(context, "users")
    panel = step.take()
    assert "Operators" not in [getattr(widget, "description", "") for widget in walk(panel.box)]
    groups = [{"display_name": "Auditors"}, {"display_name": "Operators"}]
    step.step.scenario = Scenario(groups=groups, users=step.values.values)
    step.take()
    assert find(panel, "Operators").value is False
    find(panel, "Operators").value = True
    assert step.values.values[0]["groups"] == ["Operators"]


def test_undo_shows_what_it_takes_back_and_asks_once_more(panel, step, memory):
    find(panel, "Review").click()
    find(panel, "Apply in the sandbox").click()
    assert "Confirm the undo in the sandbox" not in enabled(panel)
    find(panel, "Undo this step …").click()
    assert "2 to delete" in texts(panel)
    assert len(memory.resource("permission_set").states) == 2
    find(panel, "Confirm the undo in the sandbox").click()
    assert memory.resource("permission_set").states == {}
    assert "Checks of" not in texts(panel)


def test_after_each_apply_the_target_is_read_again_and_a_button_repeats_it(panel, memory):
    find(panel, "Review").click()
    find(panel, "Apply in the sandbox").click()
    assert "✔ Done: 2 created. 2 of 2 checks passed." in texts(panel)
    assert texts(panel).count("Done for “Permission sets”") == texts(panel).count("Checks of") == 1
    del memory.resource("permission_set").states["Auditor"]
    find(panel, "Review").click()
    assert "Apply in the sandbox" in enabled(panel)
    find(panel, "Check").click()
    assert "Apply in the sandbox" not in enabled(panel), "its plan is not on the screen any more"
    assert "✘ 1 of 2 checks failed." in texts(panel)
    assert "it was deleted outside of this run" in texts(panel)
    assert "Done for" not in texts(panel)


@pytest.mark.parametrize("error", [ThrottledError("AWS asks to wait"), KeyError("Name")])
def test_what_was_done_is_shown_also_where_it_cannot_be_checked(panel, step, monkeypatch, error):
    def refuse():
        raise error

    find(panel, "Review").click()
    monkeypatch.setattr(step.step, "check", refuse)
    find(panel, "Apply in the sandbox").click()
    assert "✔ Done: 2 created. It could not be checked." in texts(panel)
    assert "Done for “Permission sets”" in texts(panel)


def test_what_another_notebook_has_applied_since_is_not_applied_again(context, panel, memory):
    find(panel, "Review").click()
    other = NotebookStep(context, "permission_sets").step
    other.review()
    other.apply_reviewed()
    calls = [*memory.resource("permission_set").calls]
    find(panel, "Apply in the sandbox").click()
    assert "the permission set AdministratorAccess has changed since the plan was shown" in texts(panel)
    assert "Apply in the sandbox" not in enabled(panel)
    assert memory.resource("permission_set").calls == calls
    assert len(context.receipts.read()) == 2, "no receipt for what the other one made"
    find(panel, "Review").click()
    assert "Plan: 2 unchanged." in texts(panel)


def shows(panel, description):
    return find(panel, description).layout.display != "none"


def test_undo_is_offered_while_a_receipt_of_the_step_can_be_undone(context, step, panel, memory):
    assert not shows(panel, "Undo this step …")
    find(panel, "Review").click()
    find(panel, "Apply in the sandbox").click()
    assert shows(panel, "Undo this step …")
    assert shows(NotebookStep(context, "permission_sets").take(), "Undo this step …"), "as after a restart"
    assert not shows(NotebookStep(context, "groups").take(), "Undo this step …"), "another step has none"
    memory.resource("permission_set").no_way_back = {"": "AWS allows it once"}
    assert not shows(NotebookStep(context, "permission_sets").take(), "Undo this step …")
    memory.resource("permission_set").no_way_back = {}
    find(panel, "Undo this step …").click()
    find(panel, "Confirm the undo in the sandbox").click()
    assert not shows(panel, "Undo this step …")


def test_receipts_are_not_read_at_an_edit_and_unreadable_ones_open_the_panel(
    context, step, panel, monkeypatch
):
    reads = []

    def is_possible(undo):
        reads.append(undo)
        raise ReceiptError("line 1 cannot be read")

    monkeypatch.setattr(StepUndo, "is_possible", is_possible)
    type_in(panel, "Session duration", "PT5H")
    type_in(panel, "Session duration", "PT13H")
    assert reads == []
    assert shows(NotebookStep(context, "permission_sets").take(), "Undo this step …")


@pytest.mark.parametrize(("number", "asks"), [(ASKS_FROM - 1, False), (ASKS_FROM, True)])
def test_many_deletions_are_asked_about_once_and_named(context, memory, number, asks):
    groups = [{"display_name": f"G{at}"} for at in range(number - 2)]
    wants = replace(context, scenario=Scenario(groups=groups, permission_sets=[{"name": "A"}, {"name": "B"}]))
    for name in ("permission_sets", "groups"):
        step = NotebookStep(wants, name).step
        step.review()
        step.apply_reviewed()
    panel = NotebookTeardown(wants).take()
    question = f"Delete {number} things: {number - 2} groups, 2 permission sets?"
    find(panel, "Review what will be undone").click()
    find(panel, "Apply the teardown in the sandbox").click()
    if asks:
        assert question in texts(panel)
        assert len(memory.resource("group").states) == number - 2
        find(panel, "Keep").click()
        assert question not in texts(panel)
        find(panel, "Delete").click()  # on its way when the question was closed
        assert len(memory.resource("group").states) == number - 2
        find(panel, "Apply the teardown in the sandbox").click()
        find(panel, "Review what will be undone").click()
        assert question not in texts(panel), "another plan, another question"
        find(panel, "Apply the teardown in the sandbox").click()
        find(panel, "Delete").click()
    assert question not in texts(panel)
    assert memory.resource("group").states == {}


def test_a_failed_apply_says_so_and_locks_apply(panel, memory):
    memory.resource("permission_set").fail_on = "Auditor"
    find(panel, "Review").click()
    find(panel, "Apply in the sandbox").click()
    assert "✘ WriteFailedError" in texts(panel)
    assert "Apply in the sandbox" not in enabled(panel)


def test_in_mode_plan_nothing_can_be_applied(context, memory):
    panel = NotebookStep(replace(context, mode="plan"), "permission_sets").take()
    find(panel, "Review").click()
    assert "2 to create" in texts(panel)
    assert "Apply in the sandbox" not in enabled(panel)
    assert "nothing is written" in texts(panel)


def test_choices_that_follow_from_others_are_locked_and_say_why(context):
    step = NotebookStep(context, "multi_factor_authentication")
    panel = step.take()
    manage = find(panel, "Users can add and manage their own MFA devices")
    assert (manage.value, manage.disabled) == (True, True)
    assert "Forced on: who must register a device" in texts(panel)
    type_in(panel, "If a user does not yet have a registered MFA device", "block")
    assert not manage.disabled
    assert "Forced on" not in texts(panel)
    manage.value = False
    find(panel, "Security keys and built-in authenticators").value = False
    mfa = step.step.scenario.authentication.mfa
    assert (mfa.user_without_device, mfa.users_manage_own_devices, mfa.allowed_types) == (
        "block",
        False,
        ["authenticator-apps"],
    )


def test_a_users_frames_are_optional_and_the_display_name_follows(context):
    step = NotebookStep(context, "users")
    panel = step.take()
    assert find(panel, "Display name").value == "Ana Example"
    type_in(panel, "First name", "Anna")
    assert find(panel, "Display name").value == "Anna Example"
    assert step.step.scenario.users[0].enterprise is None
    type_in(panel, "Cost center", "4711")
    assert step.step.scenario.users[0].enterprise.cost_center == "4711"


def test_names_are_data_and_never_markup(context):
    scenario = Scenario(groups=[{"display_name": "<script>alert(1)</script>"}])
    panel = NotebookStep(replace(context, scenario=scenario), "groups").take()
    find(panel, "Review").click()
    assert "<script>" not in texts(panel)
    assert "&lt;script&gt;" in texts(panel)


def test_the_teardown_panel_shows_before_it_deletes(context, memory):
    step = NotebookStep(context, "groups")
    step.step.review()
    step.step.apply_reviewed()
    panel = NotebookTeardown(context).take()
    assert find(panel, "Apply the teardown in the sandbox").disabled
    find(panel, "Review what will be undone").click()
    find(panel, "Apply the teardown in the sandbox").click()
    assert memory.resource("group").states == {}


def test_on_a_running_loop_the_click_returns_at_once_and_values_are_locked_meanwhile(context, memory):
    resource, entered, go_on = memory.resource("permission_set"), threading.Event(), threading.Event()

    def slow(change):
        entered.set()
        assert go_on.wait(PATIENCE_S)

    resource.before_writing = slow

    async def until(condition):
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not condition():
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.005)

    async def scene():
        panel = NotebookStep(context, "permission_sets").take()
        find(panel, "Review").click()
        await until(lambda: not find(panel, "Apply in the sandbox").disabled)
        find(panel, "Apply in the sandbox").click()
        await until(entered.is_set)
        assert resource.calls == []
        assert find(panel, "Session duration").disabled
        assert enabled(panel) == []
        go_on.set()
        await until(lambda: "2 created" in texts(panel))
        assert find(panel, "Cancel").layout.display == "none"
        assert not find(panel, "Session duration").disabled

    asyncio.run(scene())
    assert len(resource.calls) == 2


def test_a_review_shows_the_calls_in_words_and_to_copy(panel, memory):
    find(panel, "Review").click()
    shown = texts(panel)
    assert "The 2 calls that Apply makes, in this order" in shown
    assert "memory CreatePermissionSet (Name: Auditor)" in shown
    assert "aws memory create-permission-set" in shown
    assert "memory.create_permission_set(" in shown
    assert memory.resource("permission_set").calls == []


def _throttled(*_arguments):
    raise ThrottledError("AWS asks for patience")


def test_an_error_before_the_first_call_is_shown_with_the_plan(panel, memory, monkeypatch):
    monkeypatch.setattr(memory, "instance_or_none", _throttled, raising=False)
    find(panel, "Review").click()
    assert "Plan: 2 to create" in texts(panel)
    assert "AWS asks for patience" in texts(panel)
    assert "ThrottledError" not in texts(panel)


@pytest.mark.parametrize("part", ["calls", "changes"])
def test_a_plan_that_cannot_be_shown_cannot_be_applied(panel, step, monkeypatch, part):
    monkeypatch.setattr(step.step, part, _throttled)
    with suppress(ThrottledError):
        find(panel, "Review").click()
    assert step.step.reviewed is None
    assert "Apply in the sandbox" not in enabled(panel)


def test_progress_names_the_calls_as_they_are_sent(panel, step, memory):
    said = []
    step.take()._screen.say = said.append
    find(panel, "Review").click()
    find(panel, "Apply in the sandbox").click()
    assert any("Call 2 of 2: memory CreatePermissionSet (Name: Auditor)" in line for line in said)
    assert "0 of 2 done" in said[said.index("Applying …") + 1]


def test_cancelling_keeps_what_is_done_and_apply_pressed_again_finishes(panel, step, memory):
    resource = memory.resource("permission_set")
    resource.before_writing = lambda change: find(panel, "Cancel").click()
    find(panel, "Review").click()
    find(panel, "Apply in the sandbox").click()
    assert list(resource.states) == []
    assert "cancelled: 0 of 2 changes are done" in texts(panel)

    def second(change):
        if change.key == "Auditor":
            find(panel, "Cancel").click()

    resource.before_writing = second
    find(panel, "Apply in the sandbox").click()
    assert list(resource.states) == ["AdministratorAccess"]
    assert "cancelled: 1 of 2 changes are done" in texts(panel)
    assert "1 to create, 1 unchanged" in texts(panel)
    (receipt,) = step.context.receipts.open_receipts()
    assert (receipt.status, receipt.key) == ("done", "AdministratorAccess")
    resource.before_writing = lambda change: None
    find(panel, "Apply in the sandbox").click()
    assert list(resource.states) == ["AdministratorAccess", "Auditor"]
    assert "1 created, 1 unchanged" in texts(panel)


def test_requiring_registration_forces_that_users_manage_their_devices(context):
    step = NotebookStep(context, "multi_factor_authentication")
    panel = step.take()
    type_in(panel, "If a user does not yet have a registered MFA device", "allow")
    type_in(panel, "Users can add and manage their own MFA devices", False)
    type_in(panel, "If a user does not yet have a registered MFA device", "require-registration")
    assert step.step.problems == ()
    assert step.step.scenario.authentication.mfa.users_manage_own_devices is True


def test_with_mfa_never_the_other_choices_are_inactive_and_say_why(context):
    step = NotebookStep(context, "multi_factor_authentication")
    panel = step.take()
    labels = (
        "Authenticator apps",
        "If a user does not yet have a registered MFA device",
        "Users can add and manage their own MFA devices",
    )
    type_in(panel, "Prompt users for MFA", "never")
    assert all(find(panel, label).disabled for label in labels)
    assert texts(panel).count("Inactive: nobody is asked for MFA") == 3
    assert step.step.scenario.authentication.mfa.prompt == "never"
    type_in(panel, "Prompt users for MFA", "always-on")
    assert [find(panel, label).disabled for label in labels] == [False, False, True]


def test_no_type_of_mfa_is_refused_at_its_boxes(context):
    panel = NotebookStep(context, "multi_factor_authentication").take()
    find(panel, "Authenticator apps").value = False
    assert "needs fixing" not in texts(panel)
    find(panel, "Security keys and built-in authenticators").value = False
    assert "nobody could answer it" in texts(panel)
    assert "1 value needs fixing: Users can authenticate with these MFA types" in texts(panel)


def test_the_form_is_saved_as_a_scenario_and_never_over_another_file_silently(context, tmp_path):
    source, target = tmp_path / "source.yaml", tmp_path / "mine.yaml"
    source.write_text("# why\ngroups:\n  - display_name: Auditors\n", "utf-8")
    step = NotebookStep(replace(context, scenario_file=source), "groups")
    panel = step.take()
    type_in(panel, "Group name", "Operators")
    type_in(panel, "Scenario file", str(target))
    find(panel, "Save").click()
    assert f"✔ Saved to {target}" in texts(panel)
    assert target.read_text("utf-8") == "# why\ngroups:\n  - display_name: Operators\n"
    type_in(panel, "Group name", "Others")
    find(panel, "Save").click()
    assert "✘ there is a file" in texts(panel)
    assert "Operators" in target.read_text("utf-8")
    find(panel, "If the file exists, change this part of it").value = True
    find(panel, "Save").click()
    assert "Others" in target.read_text("utf-8")
    type_in(panel, "Group name", "")
    find(panel, "Save").click()
    assert "Others" in target.read_text("utf-8")
    assert "✘ No. 1: Group name is missing." in texts(panel)


def test_what_is_saved_is_named_so_that_a_shell_takes_it_and_no_name_is_refused(context, tmp_path):
    source, target = tmp_path / "source.yaml", tmp_path / "my <own>.yaml"
    source.write_text("groups:\n  - display_name: Auditors\n", "utf-8")
    panel = NotebookStep(replace(context, scenario_file=source), "groups").take()
    type_in(panel, "Scenario file", "  ")
    find(panel, "Save").click()
    assert "✘ no file is named" in texts(panel)
    type_in(panel, "Scenario file", str(target))
    find(panel, "Save").click()
    assert target.exists()
    assert f"idc run --parameters '{target}'" in unescape(texts(panel))


def test_a_pair_without_a_value_and_a_key_that_is_there_twice_are_told(panel, step):
    type_in(panel, "Tags", "Team Security\nPurpose = a\nPurpose = b")
    said = unescape(texts(panel))
    assert "'Team Security' has no value yet. Write key = value." in said
    assert "'Purpose' is there 2 times: the last one counts." in said
    type_in(panel, "Tags", "Team = Security")
    assert "Tags of the permission set" in texts(panel)
    assert "has no value yet" not in texts(panel)


def test_another_length_starts_from_the_one_before(panel):
    find(panel, "Session duration").value = "PT4H"
    chooser = find(panel, "Session duration")
    chooser.value = dict(chooser.options)["Another length …"]
    assert find(panel, "Session duration: another length").value == "4 hours"
