"""Settings, tab Identity source: where users come from, and the portal's address."""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import Response

from idc_sandbox.api.settings import (
    ACTIVE_DIRECTORY,
    DIRECTORY,
    EXTERNAL,
    LARGEST_METADATA,
    SOURCE_LABELS,
    certificate_expiry,
    identity_provider,
    service_provider,
    service_provider_metadata,
)
from idc_sandbox.errors import conflict, validation_error
from idc_sandbox.packaged import packaged_text
from idc_sandbox.pages.console.desk import Console, Screen
from idc_sandbox.pages.console.directory import require_typed
from idc_sandbox.pages.console.settings import (
    SETTINGS_PATH,
    Fields,
    show_form,
    show_tab,
    write_console_setting,
)
from idc_sandbox.sign_in.people import counted

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source.html
_TAB = ("Identity source", SETTINGS_PATH)
_EXAMPLE = "data/example-idp-metadata.xml"
_HINTS = {
    DIRECTORY: "You create users and groups here; they sign in with a password of this directory.",
    ACTIVE_DIRECTORY: "Users and groups are in AWS Managed Microsoft AD, or in your own, by AD Connector.",
    EXTERNAL: "Users sign in at another service, such as Okta or Microsoft Entra ID, by SAML 2.0.",
}
_METHODS = {
    "password": "Password",
    "active_directory": "Active Directory",
    "saml_2_0": "SAML 2.0",
    "direct": "Direct",
    "manual": "Manual",
}


class _Change(NamedTuple):
    """What a change of the identity source does, and what people often get wrong about it."""

    consequences: tuple[str, ...]
    often_wrong: str


_DELETES_ALL = _Change(
    (
        "All users and groups of this instance are deleted.",
        "All assignments to AWS accounts are deleted, so nobody gets in through the access portal.",
        "Permission sets stay. You assign them again, to the users and groups of the new source.",
    ),
    "leaving the directory “to look”. What is deleted does not come back when you change it again.",
)
# https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source-considerations.html
_TO_PROVIDER = _Change(
    (
        "Users, groups and assignments stay. Each user name must be what the identity provider sends.",
        "Passwords of this directory open nothing any more: people sign in at the identity provider.",
        "MFA is the identity provider's to ask for. The settings here are gone.",
        "Who is signed in stays so until their session ends. End sessions yourself where that is too long.",
    ),
    "changing it before user names match. Who has another name at the identity provider does not get in.",
)
_FROM_PROVIDER = _Change(
    (
        "Users, groups and assignments stay.",
        "Who had a password here before signs in with it again. You reset the password of everybody else.",
        "MFA is asked for here again, as the settings say.",
        "Automatic provisioning ends: from now on you keep users and groups up to date.",
    ),
    "resetting no passwords after it. Who never had a password here cannot sign in until you do.",
)
_PROVIDER_FIELDS = ("metadata", "sign_in_url", "issuer_url", "certificate")
_CHOOSE, _EXCHANGE, _CONFIRM = "change-source.html", "identity-provider.html", "change-source-confirm.html"
_STEP_OF_FORM = {"confirm": _EXCHANGE, "change": _CONFIRM}  # by the button that leads on


def _show_identity_source(console: Console) -> Response:
    """Show the tab."""
    settings = console.settings()
    source = settings["identity_source"]
    return show_tab(
        console,
        "identity-source.html",
        SETTINGS_PATH,
        source=SOURCE_LABELS[source["type"]],
        authentication_method=_METHODS[source["authentication_method"]],
        provisioning_method=_METHODS[source["provisioning_method"]],
        portal=settings["access_portal"],
        is_external=source["type"] == EXTERNAL,
    )


def _show_portal_url(console: Console) -> Response:
    """Show the field for the portal's subdomain."""
    portal = console.settings()["access_portal"]
    return show_form(console, "portal-url.html", _TAB, portal=portal, fields=Fields(console, {}))


def _take_portal_url(console: Console) -> Response:
    """Choose the portal's subdomain, once."""
    subdomain = console.form.get("subdomain", "").strip()
    write_console_setting(console, "access_portal", subdomain=subdomain)
    return console.go(SETTINGS_PATH, "portal-url-chosen", subdomain)


def _show_change(console: Console) -> Response:
    """Show the step of the change that the form came from; the first one at the beginning."""
    return _show_step(console, _STEP_OF_FORM.get(console.form.get("act", ""), _CHOOSE))


def _take_change(console: Console) -> Response:
    """Go from step to step, and change the identity source when it is confirmed."""
    act, new = console.form.get("act", ""), console.form.get("type", "")
    if act in ("previous", "exchange", "example"):  # there and back
        return _show_step(console, _CHOOSE if act == "previous" else _EXCHANGE)
    if new not in SOURCE_LABELS:
        raise validation_error("Choose one of the three identity sources.")
    if new == console.settings()["identity_source"]["type"]:
        raise conflict(f"{SOURCE_LABELS[new]} is the identity source already. Choose another one, or cancel.")
    if new == EXTERNAL and act not in _STEP_OF_FORM:
        return _show_step(console, _EXCHANGE)
    provider = _provider_fields(console) if new == EXTERNAL else None
    if act != "change":
        return _show_step(console, _CONFIRM, identity_provider(provider) if provider else None)
    require_typed(console, "ACCEPT")
    values = {"instance_arn": console.instance_arn, "type": new, "identity_provider": provider}
    deleted = console.do("POST", "identity-source", **values)["deleted"]
    if not any(deleted.values()):
        return console.go(SETTINGS_PATH, "identity-source-changed-only")
    counts = [counted(deleted[name], name.removesuffix("s").replace("_", " ")) for name in deleted]
    return console.go(SETTINGS_PATH, "identity-source-changed", f"{', '.join(counts[:-1])} and {counts[-1]}")


def _show_step(console: Console, step: str, provider: dict[str, str] | None = None) -> Response:
    instance = console.instance
    settings = console.settings()
    old, new = settings["identity_source"]["type"], console.form.get("type", "")
    step = step if new in SOURCE_LABELS and new != old else _CHOOSE
    given = provider or _provider_fields(console)
    if console.form.get("act") == "example":
        given = {"metadata": packaged_text(_EXAMPLE)}
    change = _FROM_PROVIDER if old == EXTERNAL else _TO_PROVIDER
    portal_url = settings["access_portal"]["url"]
    return show_form(
        console,
        step,
        _TAB,
        labels=SOURCE_LABELS,
        hints=_HINTS,
        old=old,
        chosen=new or old,
        given=given,
        known=service_provider(instance, portal_url) if step == _EXCHANGE else None,
        largest_metadata=LARGEST_METADATA,
        change=_DELETES_ALL if ACTIVE_DIRECTORY in (old, new) else change,
        fields=Fields(console, {}),
    )


def _provider_fields(console: Console) -> dict[str, str]:
    return {name: str(console.form.get(name, "")) for name in _PROVIDER_FIELDS}


def _download_metadata(console: Console) -> Response:
    """Give the metadata file that an identity provider reads."""
    instance = console.instance
    portal_url = console.settings()["access_portal"]["url"]
    text = service_provider_metadata(service_provider(instance, portal_url))
    headers = {"Content-Disposition": 'attachment; filename="identity-center-metadata.xml"'}
    return Response(text, media_type="application/xml", headers=headers)


def _show_provider(console: Console) -> Response:
    """Show what was exchanged with the identity provider."""
    instance = console.instance
    settings = console.settings()
    source = settings["identity_source"]
    if source["type"] != EXTERNAL:
        return console.go(SETTINGS_PATH)
    provider = source.get("identity_provider")
    return show_form(
        console,
        "manage-authentication.html",
        _TAB,
        known=service_provider(instance, settings["access_portal"]["url"]),
        provider=provider,
        valid_until=certificate_expiry(provider["certificate"]) if provider else None,
    )


IDENTITY_SOURCE_SCREENS = (
    Screen(SETTINGS_PATH, _show_identity_source),
    Screen(f"{SETTINGS_PATH}/portal-url", _show_portal_url, _take_portal_url),
    Screen(f"{SETTINGS_PATH}/identity-source", _show_change, _take_change),
    Screen(f"{SETTINGS_PATH}/identity-source/metadata", _download_metadata),
    Screen(f"{SETTINGS_PATH}/identity-source/provider", _show_provider),
)
