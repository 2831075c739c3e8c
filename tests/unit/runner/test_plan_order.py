"""What a plan makes of its steps together: users before their access, settings with their instance, names."""

from dataclasses import replace

import pytest
from plan_tools import planned

from idc_aws.changes import Action
from idc_aws.desired import USERS_FIRST
from idc_aws.errors import KitError
from idc_aws.organization import Account
from idc_aws.settings import CONSOLE_SETTINGS
from idc_runner.plans import making
from idc_runner.plans.document import StepPlan
from idc_runner.plans.making import _account_names, _users_first, _with_their_instance


def step(name, *changes, later=""):
    return StepPlan(name, "00_any", name, tuple(changes), later)


def access(name, reason, action=Action.SKIPPED):
    """Return the plan of a user's access, with why it waits."""
    given = planned(action, "account_assignment", f"{name} {reason}", {"principal_name": name})
    return replace(given, change=replace(given.change, reason=reason))


USERS = step("users", planned(Action.CREATE, "user", "ana", {"user_name": "ana"}))
WAITS = f"user 'ana' {USERS_FIRST}"


def test_access_of_a_user_whom_the_plan_makes_is_made_behind_the_user():
    ordered = _users_first((step("account_assignments", access("ana", WAITS)), USERS))
    assert [one.name for one in ordered] == ["users", "account_assignments"]
    (given,) = ordered[1].changes
    assert given.change.action is Action.CREATE
    assert given.change.reason == "does not exist yet; the user is made first"


@pytest.mark.parametrize(
    "other",
    [
        access("ana", "the account is closed"),
        access("berta", f"user 'berta' {USERS_FIRST}"),
        access("ana", "", action=Action.UNCHANGED),
    ],
)
def test_access_that_waits_for_something_else_goes_on_waiting(other):
    steps = step("account_assignments", other), USERS
    assert _users_first(steps) == steps
    both = _users_first((step("account_assignments", other, access("ana", WAITS)), USERS))
    assert both[1].changes[0] == other


@pytest.mark.parametrize("kind", ["group", "user"])
def test_only_users_make_access_wait(kind):
    made = step("users", planned(Action.CREATE, kind, "ana", {}))
    before = (step("account_assignments", access("ana", WAITS)), made)
    assert (_users_first(before) != before) is (kind == "user")


def setting(name, action=Action.CREATE, kind="console_setting"):
    return planned(action, kind, name, {"any": "thing"}, stays=("for good",))


NAMES = {one.is_irreversible: name for name, one in CONSOLE_SETTINGS.items()}
INSTANCE = planned(Action.CREATE, "instance", "organization", {})


def test_what_goes_with_the_instance_that_the_plan_makes_is_not_said_to_stay():
    changes = (
        setting(NAMES[False]),
        setting(NAMES[True]),
        setting(NAMES[False], Action.UPDATE),
        setting(NAMES[False], kind="group"),
        setting("of no console"),
    )
    alone = (step("settings", *changes, later="when there is an instance"),)
    assert _with_their_instance(alone) == alone
    there = planned(Action.UNCHANGED, "instance", "organization", {})
    assert _with_their_instance((step("instance", there), *alone)) == (step("instance", there), *alone)
    _, shown = _with_their_instance((step("instance", INSTANCE), *alone))
    assert shown.later == ""
    assert [one.stays for one in shown.changes] == [(), *[("for good",)] * 4]


HOME, OTHER, UNNAMED = "111122223333", "444455556666", "777788889999"
IN_ACCOUNTS = step("settings", *(planned(Action.CREATE, "any", f"in {one}", {}) for one in (HOME, UNNAMED)))


def test_accounts_that_a_plan_names_have_the_names_of_the_organization(monkeypatch):
    accounts = [Account(HOME, "Home"), Account(OTHER, "Other"), Account(UNNAMED, "")]
    monkeypatch.setattr(making, "list_accounts", lambda connection: accounts)
    assert _account_names(None, [IN_ACCOUNTS]) == {HOME: "Home"}


def test_who_may_not_list_accounts_gets_the_plan_without_names(monkeypatch):
    asked = []

    def refuse(connection):
        asked.append(connection)
        raise KitError("AccessDeniedException")

    monkeypatch.setattr(making, "list_accounts", refuse)
    assert _account_names(None, [IN_ACCOUNTS]) == {}
    assert _account_names(None, [USERS]) == {}
    assert len(asked) == 1, "no account is named there, and none is asked for"
