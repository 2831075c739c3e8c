"""Settings, tab Identity source: where users come from, and the portal's address."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from idc_sandbox.errors import conflict, validation_error
from idc_sandbox.pages.console.desk import Console, Screen
from idc_sandbox.pages.console.directory import require_typed
from idc_sandbox.pages.console.settings_frame import (
    SETTINGS_PATH,
    Fields,
    instance_of,
    settings_of,
    show_form,
    show_tab,
    write_console_setting,
)
from idc_sandbox.sign_in.people import counted

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source.html
_TAB = ("Identity source", SETTINGS_PATH)
_ACTIVE_DIRECTORY = "active_directory"
_SOURCES = {
    "identity_center_directory": (
        "Identity Center directory",
        "You create users and groups here; they sign in with a password of this directory.",
    ),
    _ACTIVE_DIRECTORY: (
        "Active Directory",
        "Users and groups come from your AWS Managed Microsoft AD, or your own through AD Connector.",
    ),
    "external_identity_provider": (
        "External identity provider",
        "Users sign in at another service, such as Okta or Microsoft Entra ID, by SAML 2.0.",
    ),
}
_METHODS = {
    "password": "Password",
    "active_directory": "Active Directory",
    "saml_2_0": "SAML 2.0",
    "direct": "Direct",
    "manual": "Manual",
}
_ALL_DELETED = (
    "All users and groups of this instance are deleted.",
    "All assignments to AWS accounts are deleted, so nobody gets in through the access portal.",
    "Permission sets stay. You assign them again, to the users and groups of the new source.",
)
_TO_PROVIDER = (
    "Users, groups and assignments stay. They must have the same user names at the identity provider.",
    "Passwords of this directory open nothing any more: people sign in at the identity provider.",
    "MFA is the identity provider's to ask for; the settings here are gone.",
    "At AWS you exchange SAML metadata with the identity provider before this step.",
)
_FROM_PROVIDER = (
    "Users, groups and assignments stay, but nobody has a password here yet.",
    "You reset each user's password, and people register MFA devices again.",
    "Automatic provisioning ends: from now on you keep users and groups up to date.",
)


def _show_identity_source(console: Console) -> Response:
    """Show the tab."""

    def read(instance: dict[str, Any]) -> dict[str, Any]:
        settings = settings_of(console, instance)
        source = settings["identity_source"]
        return {
            "source": _SOURCES[source["type"]][0],
            "authentication_method": _METHODS[source["authentication_method"]],
            "provisioning_method": _METHODS[source["provisioning_method"]],
            "portal": settings["access_portal"],
        }

    return show_tab(console, "identity-source.html", SETTINGS_PATH, read)


def _show_portal_url(console: Console) -> Response:
    """Show the field for the portal's subdomain."""
    instance = console.instance
    if instance is None:
        return console.go("")
    portal = settings_of(console, instance)["access_portal"]
    return show_form(console, "portal-url.html", _TAB, portal=portal, fields=Fields(console, {}))


def _take_portal_url(console: Console) -> Response:
    """Choose the portal's subdomain, once."""
    subdomain = console.form.get("subdomain", "").strip()
    write_console_setting(console, "access_portal", subdomain=subdomain)
    return console.go(SETTINGS_PATH, "portal-url-chosen", subdomain)


def _show_change(console: Console) -> Response:
    """Show the step of the change that the form came from; the first one at the beginning."""
    return _show_step(console, is_last=console.form.get("act") == "change")


def _take_change(console: Console) -> Response:
    """Go from step to step, and change the identity source when it is confirmed."""
    instance = instance_of(console)
    act, new = console.form.get("act", ""), console.form.get("type", "")
    if act == "previous":
        return _show_step(console, is_last=False)
    if new not in _SOURCES:
        raise validation_error("Choose one of the three identity sources.")
    if new == settings_of(console, instance)["identity_source"]["type"]:
        raise conflict(f"{_SOURCES[new][0]} is the identity source already. Choose another one, or cancel.")
    if act != "change":
        return _show_step(console, is_last=True)
    require_typed(console, "ACCEPT")
    answer = console.do("POST", "identity-source", instance_arn=instance["InstanceArn"], type=new)
    deleted = answer["deleted"]
    counts = [counted(deleted[name], name.removesuffix("s").replace("_", " ")) for name in deleted]
    return console.go(SETTINGS_PATH, "identity-source-changed", f"{', '.join(counts[:-1])} and {counts[-1]}")


def _show_step(console: Console, *, is_last: bool) -> Response:
    instance = console.instance
    if instance is None:
        return console.go("")
    old = settings_of(console, instance)["identity_source"]["type"]
    new = console.form.get("type", "")
    is_last = is_last and new in _SOURCES and new != old
    values = {"sources": _SOURCES, "old": old, "chosen": new or old}
    if not is_last:
        return show_form(console, "change-source.html", _TAB, **values)
    if _ACTIVE_DIRECTORY in (old, new):
        consequences: tuple[str, ...] = _ALL_DELETED
    else:
        consequences = _FROM_PROVIDER if old == "external_identity_provider" else _TO_PROVIDER
    return show_form(
        console,
        "change-source-confirm.html",
        _TAB,
        consequences=consequences,
        fields=Fields(console, {}),
        **values,
    )


IDENTITY_SOURCE_SCREENS = (
    Screen(SETTINGS_PATH, _show_identity_source),
    Screen(f"{SETTINGS_PATH}/portal-url", _show_portal_url, _take_portal_url),
    Screen(f"{SETTINGS_PATH}/identity-source", _show_change, _take_change),
)
