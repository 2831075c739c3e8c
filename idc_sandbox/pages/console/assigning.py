"""The wizard that gives users or groups permission sets in accounts: principals, sets, review."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.responses import Response

from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.access import (
    Wanted,
    account_name,
    given,
    list_groups,
    list_users,
    named_principals,
    permission_sets_by_arn,
    principals_by_key,
    product_of,
    split,
    start_changes,
)
from idc_sandbox.pages.console.desk import ROOT, Console, Screen

MOST_ACCOUNTS = 10
_PRINCIPALS, _SETS, _REVIEW = "principals", "permission-sets", "review"
_STEPS = (
    (_PRINCIPALS, "Select users and groups"),
    (_SETS, "Select permission sets"),
    (_REVIEW, "Review and submit"),
)
_TABS = ("users", "groups")


class _Chosen(NamedTuple):
    """What was chosen so far."""

    accounts: list[str]
    principals: list[str]
    sets: list[str]

    @property
    def joined(self) -> dict[str, str]:
        return {name: ",".join(values) for name, values in self._asdict().items()}


def _chosen(console: Console) -> _Chosen:
    """Return what the earlier steps hold and what was ticked on this one."""
    form = console.form
    return _Chosen(
        split(given(console, "accounts")),
        list(dict.fromkeys([*split(form.get("principals", "")), *form.getlist("principal")])),
        list(dict.fromkeys([*split(form.get("sets", "")), *form.getlist("permission_set")])),
    )


def show_assign(console: Console) -> Response:
    """Show the first step, or the one whose form was refused."""
    chosen = _chosen(console)
    if not chosen.accounts:
        return console.go("/accounts")
    return _show(console, console.form.get("step", _PRINCIPALS), chosen)


def take_assign(console: Console) -> Response:
    """Go to another step with everything kept; the last one starts the assignments."""
    chosen = _chosen(console)
    step, act = console.form.get("step", ""), console.form.get("act", "")
    if not 0 < len(chosen.accounts) <= MOST_ACCOUNTS:
        raise validation_error(f"Choose 1 to {MOST_ACCOUNTS} accounts at a time.")
    if act not in ("next", "submit"):
        return _show(console, act if act in dict(_STEPS) else step, chosen)
    if not chosen.principals:
        raise validation_error("Select at least one user or group.")
    if step == _PRINCIPALS:
        return _show(console, _SETS, chosen)
    if not chosen.sets:
        raise validation_error("Select at least one permission set.")
    if act == "next":
        return _show(console, _REVIEW, chosen)
    return start_changes(console, Wanted(*chosen))


def _show(console: Console, step: str, chosen: _Chosen) -> Response:
    names = [(account_id, account_name(console, account_id)) for account_id in chosen.accounts]
    common: dict[str, Any] = {
        "accounts": names,
        "step": step,
        "steps": _STEPS,
        "number": [name for name, _ in _STEPS].index(step if step in dict(_STEPS) else _PRINCIPALS) + 1,
        "crumbs": (("AWS accounts", f"{ROOT}/accounts"),),
    }
    if step == _SETS:
        carried = _Chosen(chosen.accounts, chosen.principals, []).joined
        sets = permission_sets_by_arn(console)
        return console.show("assign-sets.html", sets=sets, ticked=chosen.sets, carried=carried, **common)
    if step == _REVIEW:
        sets = permission_sets_by_arn(console)
        return console.show(
            "assign-review.html",
            principals=named_principals(chosen.principals, principals_by_key(console)),
            sets=[sets[arn] for arn in chosen.sets if arn in sets],
            carried=chosen.joined,
            count=len(product_of(*chosen)),
            **common,
        )
    return _show_principals(console, chosen, common)


def _show_principals(console: Console, chosen: _Chosen, common: dict[str, Any]) -> Response:
    act, tab = console.form.get("act", ""), console.form.get("tab", "")
    tab = act if act in _TABS else tab if tab in _TABS else _TABS[0]
    search = console.form.get("search", "") if act not in _TABS else ""
    everybody = list_users(console) if tab == "users" else list_groups(console)
    shown = [one for one in everybody if search.strip().casefold() in f"{one.name} {one.detail}".casefold()]
    keys = {one.key for one in shown}
    hidden = [key for key in chosen.principals if key not in keys]
    return console.show(
        "assign-principals.html",
        tab=tab,
        search=search,
        shown=shown,
        ticked=chosen.principals,
        selected=named_principals(chosen.principals, principals_by_key(console)),
        carried=_Chosen(chosen.accounts, hidden, chosen.sets).joined,
        **(common | {"step": _PRINCIPALS}),
    )


ASSIGN_SCREENS = (Screen("/accounts/assign", show_assign, take_assign),)
