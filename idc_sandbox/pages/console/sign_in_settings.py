"""Settings, tabs Identity source and Authentication: where users come from, and how they sign in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

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
    AUTHENTICATION_PATH,
    SETTINGS_PATH,
    Fields,
    show_form,
    show_tab,
    write_console_setting,
)
from idc_sandbox.pages.visits import duration_words
from idc_sandbox.sign_in.people import counted, duration_of

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


_IDENTITY_SOURCE_SCREENS = (
    Screen(SETTINGS_PATH, _show_identity_source),
    Screen(f"{SETTINGS_PATH}/portal-url", _show_portal_url, _take_portal_url),
    Screen(f"{SETTINGS_PATH}/identity-source", _show_change, _take_change),
    Screen(f"{SETTINGS_PATH}/identity-source/metadata", _download_metadata),
    Screen(f"{SETTINGS_PATH}/identity-source/provider", _show_provider),
)


# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/mfa-getting-started.html
_SECOND_TAB = ("Authentication", AUTHENTICATION_PATH)
_REGISTRATION = "require-registration"
_PROMPTS = {
    "context-aware": "Only when their sign-in context changes (context-aware)",
    "always-on": "Every time they sign in (always-on)",
    "never": "Never (disabled)",
}
_TYPES = {
    "security-keys-and-built-in-authenticators": "Security keys and built-in authenticators",
    "authenticator-apps": "Authenticator apps",
}
_WITHOUT_DEVICE = {
    _REGISTRATION: "Require them to register an MFA device at sign in",
    "require-email-otp": "Require them to provide a one-time password sent by email to sign in",
    "block": "Block their sign-in",
    "allow": "Allow them to sign in",
}
_SESSIONS = {"user_interactive": "User interactive sessions", "user_background": "User background sessions"}
_CHOICES = ("PT15M", "PT1H", "PT4H", "PT8H", "PT12H", "P1D", "P7D", "P14D", "P30D", "P90D")
_CUSTOM = "custom"
_SHORTEST_MIN, _LONGEST_MIN = 15, 129_600


def _show_authentication(console: Console) -> Response:
    """Show the tab: its three panels."""
    settings = console.settings()
    durations = {name: _length(settings["sessions"][name]) for name in _SESSIONS}
    values = {"settings": settings, "durations": durations, **_LABELS}
    return show_tab(console, "authentication.html", AUTHENTICATION_PATH, **values)


def _show_standard(console: Console) -> Response:
    """Show whether users that an API made get a one-time password by mail."""
    return _show_setting(console, "standard.html", "standard_authentication")


def _take_standard(console: Console) -> Response:
    """Turn the mailed one-time password on or off."""
    is_on = console.form.get("send_email_otp") == "yes"
    write_console_setting(console, "standard_authentication", send_email_otp=is_on)
    return console.go(AUTHENTICATION_PATH, "standard-authentication-saved")


def _show_mfa(console: Console) -> Response:
    """Show the settings of multi-factor authentication."""
    return _show_setting(console, "mfa.html", "multi_factor_authentication")


def _take_mfa(console: Console) -> Response:
    """Write when users are asked for a second factor, and what happens without one."""
    prompt, allowed_types = console.form.get("prompt", ""), console.form.getlist("allowed_types")
    without_device = console.form.get("user_without_device", "")
    for given, labels, question in (
        (prompt, _PROMPTS, "Prompt users for MFA"),
        (without_device, _WITHOUT_DEVICE, "If a user does not yet have a registered MFA device"),
    ):
        if given not in labels:
            raise validation_error(f"Choose one answer to “{question}”.")
    if not allowed_types and prompt != "never":
        raise validation_error("Tick at least one MFA type, or choose never to prompt.")
    write_console_setting(
        console,
        "multi_factor_authentication",
        prompt=prompt,
        allowed_types=allowed_types,
        user_without_device=without_device,
        # Whoever must register a device needs the right to: the box is locked then, and not sent.
        users_manage_own_devices=without_device == _REGISTRATION
        or console.form.get("users_manage_own_devices") == "yes",
    )
    return console.go(AUTHENTICATION_PATH, "mfa-saved")


def _show_sessions(console: Console) -> Response:
    """Show how long sessions last."""
    return _show_setting(console, "session-duration.html", "sessions", _session_fields)


def _take_sessions(console: Console) -> Response:
    """Write how long sessions last that start from now on."""
    durations = {name: _duration_in(console, name) for name in _SESSIONS}
    switches = {
        name: console.form.get(name) == "yes" for name in ("user_background_enabled", "kiro_extended")
    }
    write_console_setting(console, "sessions", **durations, **switches)
    return console.go(AUTHENTICATION_PATH, "session-duration-saved")


def _show_setting(
    console: Console, template: str, name: str, fields_of: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> Response:
    """Show the form of a setting; a line instead where the identity source has no such setting."""
    setting = console.settings()[name]
    fields = Fields(console, {} if setting is None else fields_of(setting))
    return show_form(console, template, _SECOND_TAB, is_there=setting is not None, fields=fields, **_LABELS)


def _session_fields(setting: dict[str, Any]) -> dict[str, Any]:
    fields = dict(setting)
    for name in _SESSIONS:
        length = duration_of(setting[name])
        same = (choice for choice in _CHOICES if duration_of(choice) == length)
        fields[name] = next(same, _CUSTOM)
        fields[f"{name}_minutes"] = str(round(length.total_seconds() / 60))
    return fields


def _duration_in(console: Console, name: str) -> str:
    """Return the ISO 8601 duration that was chosen, or typed in minutes."""
    choice = console.form.get(name, "")
    if choice in _CHOICES:
        return str(choice)
    digits = console.form.get(f"{name}_minutes", "").strip()
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= len(str(_LONGEST_MIN))
    if choice != _CUSTOM or not is_number or not _SHORTEST_MIN <= int(digits) <= _LONGEST_MIN:
        raise validation_error(
            f"{_SESSIONS[name]}: choose a duration, or give a whole number of minutes from {_SHORTEST_MIN}"
            f" to {_LONGEST_MIN} (90 days)."
        )
    return f"PT{int(digits)}M"


def _length(duration: str) -> str:
    return duration_words(duration_of(duration).total_seconds())


_LABELS = {
    "prompts": _PROMPTS,
    "types": _TYPES,
    "without_device": _WITHOUT_DEVICE,
    "sessions": _SESSIONS,
    "choices": [*((choice, _length(choice)) for choice in _CHOICES), (_CUSTOM, "Custom duration")],
}
SIGN_IN_SCREENS = (
    *_IDENTITY_SOURCE_SCREENS,
    Screen(AUTHENTICATION_PATH, _show_authentication),
    Screen(f"{AUTHENTICATION_PATH}/standard", _show_standard, _take_standard),
    Screen(f"{AUTHENTICATION_PATH}/mfa", _show_mfa, _take_mfa),
    Screen(f"{AUTHENTICATION_PATH}/session-duration", _show_sessions, _take_sessions),
)
