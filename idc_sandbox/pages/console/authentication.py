"""Settings, tab Authentication: standard authentication, MFA, and how long sessions last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.desk import Console, Screen
from idc_sandbox.pages.console.settings import (
    AUTHENTICATION_PATH,
    Fields,
    show_form,
    show_tab,
    write_console_setting,
)
from idc_sandbox.pages.visits import duration_words
from idc_sandbox.sign_in.people import duration_of

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/mfa-getting-started.html
_TAB = ("Authentication", AUTHENTICATION_PATH)
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
_SESSIONS = {
    "user_interactive": "User interactive sessions",
    "user_background": "User background sessions",
}
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
    return _show_form(console, "standard.html", "standard_authentication", _standard_fields)


def _take_standard(console: Console) -> Response:
    """Turn the mailed one-time password on or off."""
    is_on = console.form.get("send_email_otp") == "yes"
    write_console_setting(console, "standard_authentication", send_email_otp=is_on)
    return console.go(AUTHENTICATION_PATH, "standard-authentication-saved")


def _show_mfa(console: Console) -> Response:
    """Show the settings of multi-factor authentication."""
    return _show_form(console, "mfa.html", "multi_factor_authentication", _mfa_fields)


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
    return _show_form(console, "session-duration.html", "sessions", _session_fields)


def _take_sessions(console: Console) -> Response:
    """Write how long sessions last that start from now on."""
    durations = {name: _duration_in(console, name) for name in _SESSIONS}
    switches = {
        name: console.form.get(name) == "yes" for name in ("user_background_enabled", "kiro_extended")
    }
    write_console_setting(console, "sessions", **durations, **switches)
    return console.go(AUTHENTICATION_PATH, "session-duration-saved")


def _show_form(
    console: Console, template: str, name: str, fields_of: Callable[[dict[str, Any]], dict[str, Any]]
) -> Response:
    """Show the form of a setting; a line instead where the identity source has no such setting."""
    setting = console.settings()[name]
    fields = Fields(console, {} if setting is None else fields_of(setting))
    return show_form(console, template, _TAB, is_there=setting is not None, fields=fields, **_LABELS)


def _standard_fields(setting: dict[str, Any]) -> dict[str, Any]:
    return {"send_email_otp": ["yes"] if setting["send_email_otp"] else []}


def _mfa_fields(setting: dict[str, Any]) -> dict[str, Any]:
    manage = ["yes"] if setting["users_manage_own_devices"] else []
    return setting | {"users_manage_own_devices": manage}


def _session_fields(setting: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: ["yes"] if setting[name] else [] for name in ("user_background_enabled", "kiro_extended")
    }
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
AUTHENTICATION_SCREENS = (
    Screen(AUTHENTICATION_PATH, _show_authentication),
    Screen(f"{AUTHENTICATION_PATH}/standard", _show_standard, _take_standard),
    Screen(f"{AUTHENTICATION_PATH}/mfa", _show_mfa, _take_mfa),
    Screen(f"{AUTHENTICATION_PATH}/session-duration", _show_sessions, _take_sessions),
)
