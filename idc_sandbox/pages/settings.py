"""The administrator's settings: what the console has on its Authentication tab, with effect at once."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/mfa-getting-started.html

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from idc_sandbox.api.settings import read_settings, write_setting
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.visits import SETTINGS, Visit, answer_at_door, notice_of, problem, redirect, render
from idc_sandbox.sign_in.people import Refusal, duration_of, portal_instance

_MINUTES_OF_UNIT = {"minutes": 1, "hours": 60, "days": 1440}
_LONGEST_NUMBER = 6


def show_settings(visit: Visit) -> Response:
    """Show the settings; ``key`` makes this browser an administrator's."""
    if (answer := answer_at_door(visit, SETTINGS)) is not None:
        return answer
    return _show(visit, notice_of(visit, "settings"), is_error=False)


def change_setting(visit: Visit) -> Response:
    """Write one of the settings."""
    if (answer := answer_at_door(visit, SETTINGS)) is not None:
        return answer
    name = visit.request.path_params["name"]
    if name not in _READERS:
        return problem(visit, "no-setting")
    with visit.open() as context:
        write_setting(context, portal_instance(context), name, _READERS[name](visit))
    return redirect(visit, f"{SETTINGS.path}?notice=saved")


def refuse_setting(visit: Visit, refusal: Refusal | ServiceError) -> Response:
    """Show the settings again, and what is wrong with the one that was sent."""
    return _show(visit, refusal.message, is_error=True)


def _read_standard_authentication(visit: Visit) -> dict[str, Any]:
    return {"send_email_otp": visit.form.get("send_email_otp") == "yes"}


def _read_multi_factor_authentication(visit: Visit) -> dict[str, Any]:
    prompt, allowed_types = visit.form.get("prompt", ""), visit.form.getlist("allowed_types")
    if not allowed_types and prompt != "never":
        raise validation_error(
            "Tick at least one of the MFA types that users can authenticate with, or choose never to prompt."
        )
    return {
        "prompt": prompt,
        "allowed_types": allowed_types,
        "user_without_device": visit.form.get("user_without_device", ""),
        "users_manage_own_devices": visit.form.get("users_manage_own_devices") == "yes",
    }


def _read_sessions(visit: Visit) -> dict[str, Any]:
    return {
        name: _iso_duration(visit.form.get(f"{name}_number", ""), visit.form.get(f"{name}_unit", ""))
        for name in ("user_interactive", "user_background")
    }


_READERS: dict[str, Callable[[Visit], dict[str, Any]]] = {
    "standard_authentication": _read_standard_authentication,
    "multi_factor_authentication": _read_multi_factor_authentication,
    "sessions": _read_sessions,
}


def _iso_duration(number: str, unit: str) -> str:
    """Return a number and a unit as an ISO 8601 duration."""
    digits = number.strip()
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= _LONGEST_NUMBER
    if not is_number or unit not in _MINUTES_OF_UNIT:
        raise validation_error(
            f"The session duration {number[:32]!r} {unit[:32]!r} is not valid; give a whole number of "
            f"{', '.join(_MINUTES_OF_UNIT)}."
        )
    return f"P{digits}D" if unit == "days" else f"PT{digits}{unit[0].upper()}"


def number_and_unit(duration: str) -> tuple[int, str]:
    """Return an ISO 8601 duration as a whole number of the largest unit that fits: ``(8, "hours")``."""
    minutes = round(duration_of(duration).total_seconds() / 60)
    unit = next(unit for unit in ("days", "hours", "minutes") if minutes % _MINUTES_OF_UNIT[unit] == 0)
    return minutes // _MINUTES_OF_UNIT[unit], unit


def _show(visit: Visit, message: str, *, is_error: bool) -> Response:
    with visit.open() as context:
        shown = read_settings(context, portal_instance(context))
    return render(
        visit,
        "settings.html",
        settings=shown,
        durations={name: number_and_unit(value) for name, value in shown["sessions"].items()},
        units=list(_MINUTES_OF_UNIT),
        message=message,
        is_error=is_error,
    )
