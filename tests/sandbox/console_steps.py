"""The way through steps 1 to 13 of the lesson on the practice console, and what must be so after each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import httpx
from console_forms import press, read_forms
from lesson_states import context_of, state_by_kit, states_of
from page_visitor import Visitor
from sandbox_clients import SandboxProcess

from idc_aws.scenario.scenario import Scenario
from idc_helpers.runbook.lesson import LESSON, target_steps
from idc_helpers.runbook.progress import ALREADY_SO, BY_YOU, StepReading, StepState, read_states, remember
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step

CONSOLE = "/start/practice-console"
SETTINGS = f"{CONSOLE}/settings"
SOURCE_VALUES = {"identity_center_directory": "Identity Center directory"}


class Clicker(Visitor):
    """The owner's browser, at a sandbox that is a process of its own."""

    def __init__(self, sandbox: SandboxProcess, scenario: Scenario) -> None:
        self.prefix = ""
        self.client = httpx.Client(base_url=f"http://localhost:{sandbox.running.port}", timeout=60)
        self.scenario, self.state_folder = scenario, sandbox.folder.path
        self.accounts = sandbox.member_account_ids()
        url = sandbox.control("GET", "pages")["console_url"]
        self.open(f"{CONSOLE}?{url.partition('?')[2]}")

    def click(self, label: str, **changes: object) -> None:
        """Fill in the fields of a button's form, and press the button."""
        press(self, label, **changes)

    def press(self, label: str, **changes: object) -> None:
        """Press a button; what it sends must not be refused."""
        self.click(label, **changes)
        assert self.page.status_code == 200, self.message
        assert not self.message.startswith("Problem"), self.message

    def boxes(self, name: str, labels: list[str]) -> list[str]:
        """Return the values of the boxes in the table's rows that begin with these words."""
        found = {}
        for row in self.page.text.split("<tr>")[1:]:
            box = re.search(rf'<input type="checkbox"[^>]*name="{name}" value="([^"]+)"', row)
            words = re.sub("<[^>]*>", " ", row).split()
            if box and words:
                found[words[0]] = box[1]
        return [found[label] for label in labels]


def _enable(visitor: Clicker) -> None:
    wanted = visitor.scenario.instance
    assert visitor.heading == "Enable IAM Identity Center"
    visitor.press("Enable", kind="single", region=visitor.scenario.region)
    visitor.press("Save", name=wanted.name)
    _write_rows(visitor, f"{SETTINGS}/tags/manage", "Add new tag", wanted.tags)


def _write_rows(visitor: Clicker, path: str, add: str, rows: dict[str, str]) -> None:
    visitor.open(path)
    for count in range(1, len(rows) + 1):
        if sum(one.name == "key" for form in read_forms(visitor) for one in form.fields) < count:
            visitor.press(add)
        keys, values = list(rows)[:count], list(rows.values())[:count]
        visitor.press("Save changes" if count == len(rows) else add, key=keys, value=values)


def _map_attributes(visitor: Clicker) -> None:
    visitor.open(f"{SETTINGS}/attributes")
    visitor.press("Enable attributes for access control")
    attributes = visitor.scenario.access_control_attributes.attributes
    _write_rows(visitor, f"{SETTINGS}/attributes/manage", "Add attribute", attributes)


def _read_identity_source(visitor: Clicker) -> None:
    visitor.open(SETTINGS)
    assert SOURCE_VALUES[visitor.scenario.identity_source.type] in visitor.page.text


def _customize_portal(visitor: Clicker) -> None:
    visitor.open(f"{SETTINGS}/portal-url")
    visitor.press("Save", subdomain=visitor.scenario.access_portal.subdomain)


def _send_otp(visitor: Clicker) -> None:
    visitor.open(f"{SETTINGS}/authentication/standard")
    assert visitor.scenario.authentication.send_email_otp
    visitor.press("Save", send_email_otp="yes")


def _choose_mfa(visitor: Clicker) -> None:
    mfa = visitor.scenario.authentication.mfa
    visitor.open(f"{SETTINGS}/authentication/mfa")
    visitor.press(
        "Save changes",
        prompt=mfa.prompt,
        allowed_types=list(mfa.allowed_types),
        user_without_device=mfa.user_without_device,
    )


def _choose_sessions(visitor: Clicker) -> None:
    sessions = visitor.scenario.authentication.sessions
    visitor.open(f"{SETTINGS}/authentication/session-duration")
    visitor.press(
        "Save",
        user_interactive=sessions.user_interactive,
        user_background_enabled="yes",
        user_background=sessions.user_background,
    )


def _delegate(visitor: Clicker) -> None:
    visitor.open(f"{SETTINGS}/management/register")
    account_id = visitor.accounts[visitor.scenario.management.delegated_administrator]
    visitor.press("Register account", account_id=account_id)


def _create_permission_sets(visitor: Clicker) -> None:
    for wanted in visitor.scenario.permission_sets:
        visitor.open(f"{CONSOLE}/permission-sets/create")
        if wanted.predefined:
            visitor.press("Next", kind="predefined", predefined=wanted.predefined)
        else:
            visitor.press("Next", kind="custom")
            visitor.press("Next", **_policies_of(wanted))
        tags = list(wanted.tags.items())
        for _ in tags[1:]:
            visitor.press("Add tag")
        visitor.press(
            "Next",
            name=wanted.name or wanted.predefined,
            description=wanted.description or "",
            session_duration=wanted.session_duration,
            relay_state=wanted.relay_state or "",
            tag_key=[key for key, _ in tags],
            tag_value=[value for _, value in tags],
        )
        visitor.press("Create")


def _policies_of(wanted: object) -> dict[str, object]:
    return {
        "managed": list(wanted.managed_policies),
        "inline": json.dumps(wanted.inline_policy),
    }


def _create_groups(visitor: Clicker) -> None:
    for wanted in visitor.scenario.groups:
        visitor.open(f"{CONSOLE}/groups/create")
        visitor.press("Create group", name=wanted.display_name, description=wanted.description or "")


def _assign_groups(visitor: Clicker) -> None:
    for wanted in visitor.scenario.account_assignments:
        visitor.open(f"{CONSOLE}/accounts")
        accounts = [visitor.accounts[name] for name in wanted.accounts]
        visitor.press("Assign users or groups", account=accounts)
        visitor.press("Groups")
        visitor.press("Next", principal=visitor.boxes("principal", [wanted.group]))
        visitor.press("Next", permission_set=visitor.boxes("permission_set", [wanted.permission_set]))
        visitor.click("Submit")
        assert visitor.heading == "Access to AWS accounts", visitor.message
        visitor.open(visitor.page.url.raw_path.decode())
        assert "are configured" in visitor.message


def _add_users(visitor: Clicker) -> None:
    for wanted in visitor.scenario.users:
        visitor.open(f"{CONSOLE}/users/add")
        visitor.press("Next", **_profile_of(wanted))
        visitor.press("Next", group=visitor.boxes("group", list(wanted.groups)))
        visitor.press("Add user")


# Field of the form → where the scenario has it
_FIELDS = {
    "user_name": "user_name",
    "email": "email",
    "confirm_email": "email",
    "first_name": "given_name",
    "last_name": "family_name",
    "display_name": "display_name",
    "phone": "phone_number",
    "user_type": "user_type",
    "title": "title",
    "employee_number": "enterprise.employee_number",
    "cost_center": "enterprise.cost_center",
    "organization": "enterprise.organization",
    "division": "enterprise.division",
    "department": "enterprise.department",
    "manager": "enterprise.manager",
    "street": "address.street_address",
    "city": "address.locality",
    "region": "address.region",
    "postal_code": "address.postal_code",
    "country": "address.country",
    "address": "address.formatted",
    "language": "preferred_language",
    "locale": "locale",
    "timezone": "timezone",
    "middle_name": "middle_name",
    "prefix": "honorific_prefix",
    "suffix": "honorific_suffix",
    "nickname": "nick_name",
    "profile_url": "profile_url",
    "website": "website",
    "birthdate": "birthdate",
}


def _profile_of(wanted: object) -> dict[str, str]:
    values = {
        name: reduce(lambda one, part: getattr(one, part, None), path.split("."), wanted)
        for name, path in _FIELDS.items()
    }
    return {name: str(value or "") for name, value in values.items()}


STEPS: dict[str, Callable[[Clicker], None]] = {
    "instance": _enable,
    "access_control_attributes": _map_attributes,
    "identity_source": _read_identity_source,
    "access_portal": _customize_portal,
    "standard_authentication": _send_otp,
    "multi_factor_authentication": _choose_mfa,
    "sessions": _choose_sessions,
    "delegated_administrator": _delegate,
    "permission_sets": _create_permission_sets,
    "groups": _create_groups,
    "account_assignments": _assign_groups,
    "users": _add_users,
}


_SO_AT_FIRST = ("identity_source", "sessions")  # the scenario wants the defaults


def take_each(visitor: Clicker, folder: Path, act: Callable[[RunContext, str], None]) -> None:
    """Take each step in some way; at the end all is as the kit makes it.

    After each step its check passes, its plan has nothing to write, and the map says who did it.
    """
    scenario = visitor.scenario
    context = context_of(visitor.state_folder, scenario, folder / "run")
    assert set(STEPS) == set(target_steps())
    for name in STEPS:
        before = on_map(context, name)
        if name not in _SO_AT_FIRST:
            assert before.state.is_open, name
            assert looked_at(context, name)[0] != [], name
        act(context, name)
        assert looked_at(context, name) == ([], []), name
        after = on_map(context, name)
        assert after.state is StepState.DONE, name
        assert after.detail.startswith(ALREADY_SO if name in _SO_AT_FIRST else BY_YOU), name
    found = states_of(context_of(visitor.state_folder, scenario, folder / "run"))
    assert all(found.values())
    assert found == state_by_kit(scenario, folder / "kit")
    assert not context.receipts.path.exists()


def on_map(context: RunContext, name: str) -> StepReading:
    """Return a step as the map has it after a look."""
    (reading,) = remember(context, read_states(context, {LESSON[name].number}))
    return reading


def looked_at(context: RunContext, name: str) -> tuple[list[str], list[str]]:
    """Return what fails in a step's check, and what its plan would still write."""
    step = Step(context, name)
    failed = [f"{one.name}: {one.detail}" for one in step.check() if not one.passed]
    return failed, [str(change) for change in step.plan().writes]
