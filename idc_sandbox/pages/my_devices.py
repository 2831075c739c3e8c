"""My devices: a person's own MFA devices, where the administrator lets people manage them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from idc_sandbox.context import Context
from idc_sandbox.pages.answers import redirect, render
from idc_sandbox.pages.device_forms import qr_picture
from idc_sandbox.pages.visits import Visit
from idc_sandbox.pages.ways import to_sign_in
from idc_sandbox.sign_in import devices, totp, webauthn_devices
from idc_sandbox.sign_in.people import Person
from idc_sandbox.sign_in.refusals import Refusal

_DEVICES_PATH = "/start/devices"
_NOTICES = {
    "registered": "The device is registered.",
    "rename": "The device has its new name.",
    "delete": "The device is deleted.",
}


def show_devices(visit: Visit) -> Response:
    """Show the devices, with what may be done to them."""
    return _show_devices(visit, _NOTICES.get(visit.query.get("notice", ""), ""), is_error=False)


def return_to_devices(visit: Visit) -> Response:
    """Answer who loads the address of a form."""
    return redirect(visit, _DEVICES_PATH)


def return_to_registration(visit: Visit) -> Response:
    """Answer who loads the address of a registration's form."""
    return redirect(visit, f"{_DEVICES_PATH}/register")


def change_device(visit: Visit) -> Response:
    """Rename or delete a device."""
    action, device_id = visit.parameters["action"], visit.parameters["device_id"]
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            user_id = who[1].user_id
            devices.require_own_management(context, user_id)
            if action == "rename":
                devices.rename_device(context, user_id, device_id, visit.form.get("name", ""))
            elif action == "delete":
                devices.delete_device(context, user_id, device_id)
            else:
                raise Refusal("unknown-action", "A device can be renamed and deleted, nothing else.")
    except Refusal as refusal:
        return _show_devices(visit, refusal.message, is_error=True)
    return redirect(visit, f"{_DEVICES_PATH}?notice={action}")


def show_registration(visit: Visit) -> Response:
    """Show the forms for another device."""
    return _show_registration(visit, "")


def register(visit: Visit) -> Response:
    """Register an authenticator app or a security key."""
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            devices.require_own_management(context, who[1].user_id)
            _register(context, visit, who[1])
    except Refusal as refusal:
        return _show_registration(visit, refusal.message)
    return redirect(visit, f"{_DEVICES_PATH}?notice=registered")


def _register(context: Context, visit: Visit, person: Person) -> None:
    name = visit.form.get("name") or None
    match visit.parameters["kind"]:
        case "totp":
            totp.finish_app_registration(context, person.user_id, visit.form.get("code", ""), name)
        case "webauthn":
            webauthn_devices.finish_registration(
                context,
                person.user_id,
                visit.form.get("credential", ""),
                relying_party_id=visit.site.relying_party_id,
                origin=visit.site.origin,
                name=name,
            )
        case kind:
            raise Refusal("unknown-kind", f"There is no kind of device {kind[:32]!r}; choose one below.")


def _show_devices(visit: Visit, message: str, *, is_error: bool) -> Response:
    with visit.open() as context:
        if (who := visit.find_person(context)) is None:
            return to_sign_in(visit)
        session, person = who
        shown = devices.list_devices(context, person.user_id)
        may_manage = devices.may_manage_own_devices(context, person.user_id)
    return render(
        visit,
        "devices.html",
        person=person,
        session=session,
        devices=shown,
        may_manage=may_manage,
        limits=devices.LIMIT_OF_KIND,
        message=message,
        is_error=is_error,
    )


def _show_registration(visit: Visit, message: str) -> Response:
    with visit.open() as context:
        if (who := visit.find_person(context)) is None:
            return to_sign_in(visit)
        session, person = who
        if not devices.may_manage_own_devices(context, person.user_id):
            return redirect(visit, _DEVICES_PATH)
        values = _registration_values(context, visit, person)
    return render(
        visit,
        "devices_register.html",
        person=person,
        session=session,
        message=message,
        is_error=bool(message),
        **values,
    )


def _registration_values(context: Context, visit: Visit, person: Person) -> dict[str, Any]:
    """Return what each form needs; a kind that cannot be registered has its reason instead."""
    values: dict[str, Any] = {"registration": None, "picture": "", "options": None, "reasons": []}
    try:
        values["registration"] = totp.pending_registration(context, person.user_id)
        values["picture"] = qr_picture(values["registration"].uri)
    except Refusal as refusal:
        values["reasons"].append(refusal.message)
    try:
        values["options"] = webauthn_devices.registration_options(
            context, person.user_id, relying_party_id=visit.site.relying_party_id
        )
    except Refusal as refusal:
        values["reasons"].append(refusal.message)
    return values
