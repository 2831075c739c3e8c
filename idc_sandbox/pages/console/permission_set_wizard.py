"""The wizard that creates a permission set: type, policies, details, review; only the end writes."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.set_parts import (
    AWS_POLICY,
    PREDEFINED_POLICIES,
    SESSION_DURATIONS,
    PermissionSet,
    Policies,
    checked_settings,
    chosen_policies,
    chosen_tags,
    find_managed_policies,
    require_set_name,
)

_STEPS = ("type", "policies", "details", "review")
_LONGEST_NAME = 32
_TITLES = {
    "type": "Select permission set type",
    "policies": "Specify policies and permissions boundary",
    "details": "Specify permission set details",
    "review": "Review and create",
}
# What each step asks for. The other steps carry it along, hidden.
_FIELDS = {
    "type": ("kind", "predefined"),
    "policies": (
        "policy_search",
        "managed",
        "customer_name",
        "customer_path",
        "inline",
        "use_boundary",
        "boundary_kind",
        "boundary_managed",
        "boundary_name",
        "boundary_path",
    ),
    "details": (
        "name",
        "prefilled",
        "description",
        "session_duration",
        "relay_state",
        "tag_key",
        "tag_value",
    ),
    "review": (),
}


def show_wizard(console: Console) -> Response:
    """Show the first step, or the one whose form was refused."""
    step = console.form.get("step", "type")
    # What is wrong at the end is shown over the review; from there each step can be edited.
    return _show_step(console, step if step in _STEPS else "type")


def take_wizard(console: Console) -> Response:
    """Check a step that was filled in, and show another one; create the set after the last."""
    step = console.form.get("step", "")
    steps = _steps(console)
    if step not in steps:
        return _show_step(console, "type")
    wanted = console.form.get("go") or "next"
    if wanted == "next":
        wanted = (*steps, "create")[steps.index(step) + 1]
    if wanted == "create":
        return _create(console)
    if wanted in steps and steps.index(wanted) > steps.index(step):
        for passed in steps[: steps.index(wanted)]:
            _check_step(console, passed)
    return _show_step(console, wanted if wanted in steps else step)


def _is_custom(console: Console) -> bool:
    return bool(console.form.get("kind") == "custom")


def _steps(console: Console) -> tuple[str, ...]:
    return _STEPS if _is_custom(console) else tuple(step for step in _STEPS if step != "policies")


def _check_step(console: Console, step: str) -> None:
    """Refuse what a step cannot be left with."""
    if step == "type":
        if console.form.get("kind") not in ("predefined", "custom"):
            raise validation_error("Choose a predefined or a custom permission set.")
        if not _is_custom(console) and console.form.get("predefined") not in PREDEFINED_POLICIES:
            raise validation_error("Choose a policy for the predefined permission set.")
    if step == "policies":
        _policies(console)
    if step == "details":
        require_set_name(console, console.form.get("name", "").strip())
        checked_settings(console, now={})
        chosen_tags(console)


def _policies(console: Console) -> Policies:
    if not _is_custom(console):
        _check_step(console, "type")
        name, _ = PREDEFINED_POLICIES[console.form["predefined"]]
        return Policies([AWS_POLICY + name], [], "", None)
    return chosen_policies(console, with_boundary="use_boundary" in console.form)


def _create(console: Console) -> Response:
    """Create the set with its policies: all of it, or nothing."""
    for step in _steps(console):
        _check_step(console, step)
    name = console.form["name"].strip()
    settings = checked_settings(console, now={})
    tags = chosen_tags(console) or None
    created = console.call(
        "sso-admin",
        "CreatePermissionSet",
        InstanceArn=console.instance_arn,
        Name=name,
        Tags=tags,
        **settings,
    )
    made = PermissionSet(console, created["PermissionSet"]["PermissionSetArn"])
    made.add_policies(_policies(console))
    return console.go("/permission-sets", "permission-set-created", name)


def _show_step(console: Console, step: str) -> Response:
    steps, form = _steps(console), console.form
    carried = [
        (name, value)
        for name, value in form.multi_items()
        if any(name in _FIELDS[other] for other in _STEPS if other != step)
    ]
    shown: dict[str, Any] = {}
    if step == "policies":
        shown["found"] = find_managed_policies(console, form.get("policy_search", ""))
    if step == "details":
        shown |= _details(console)
    if step == "review":
        shown |= _reviewed(console)
    return console.show(
        "permission-set-create.html",
        crumbs=(("Permission sets", f"{ROOT}/permission-sets"),),
        title=_TITLES[step],
        step=step,
        steps=[(one, _TITLES[one]) for one in steps],
        number=steps.index(step) + 1 if step in steps else 0,
        before=steps[steps.index(step) - 1] if step in steps and step != "type" else "",
        form=form,
        carried=carried,
        predefined=PREDEFINED_POLICIES,
        durations=SESSION_DURATIONS,
        **shown,
    )


def _reviewed(console: Console) -> dict[str, Any]:
    """Return what the review shows of the policies and tags."""
    try:
        return {"policies": _policies(console), "tags": chosen_tags(console)}
    except ServiceError:
        if not console.problem:
            raise
        return {"policies": None, "tags": []}  # the page says what is wrong with them


def _details(console: Console) -> dict[str, str]:
    """Return the name that the details begin with: a predefined set has its policy's until it is changed."""
    name, prefilled = console.form.get("name", ""), console.form.get("prefilled", "")
    wanted = "" if _is_custom(console) else console.form.get("predefined", "")
    # One of the twelve is too long to be a set's name. What the console offers for it is UNCONFIRMED.
    wanted = wanted if len(wanted) <= _LONGEST_NAME else ""
    return {"name": wanted if name == prefilled else name, "prefilled": wanted}


WIZARD_SCREENS = (Screen("/permission-sets/create", show_wizard, take_wizard),)
