"""The practice phone: it holds the keys of authenticator apps, for those without a phone at hand."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from idc_sandbox.context import Context
from idc_sandbox.sign_in import devices
from idc_sandbox.sign_in.people import person_of, read_as, refuse

MOST_PHONES = 5  # that hold one key


@dataclass(frozen=True)
class PhoneKey:
    """A key on a phone, which is one browser's or the owner's."""

    key_id: str
    user_id: str
    phone: str = field(repr=False)
    name: str
    secret: str = field(repr=False)
    added_at: float


def list_keys(context: Context, phones: list[str] | None) -> list[PhoneKey]:
    """Return the keys on these phones, or on all with None, oldest first."""
    rows = context.rows("SELECT * FROM phone_key ORDER BY rowid")
    return [read_as(PhoneKey, row) for row in rows if phones is None or row["phone"] in phones]


def holds_key(context: Context, phones: list[str], secret: str) -> bool:
    """Tell whether one of these phones holds a key."""
    return any(one.secret == _spelt(secret) for one in list_keys(context, phones))


def add_key(context: Context, phone: str, secret: str) -> PhoneKey:
    """Put a key on a phone: one that a registration waits for now, so that nothing else gets in. Writes."""
    secret = _spelt(secret)
    user_id = devices.user_of_registration(context, secret)
    if user_id is None:
        raise refuse("phone-key-unknown")
    holding = [one for one in list_keys(context, None) if one.secret == secret]
    if (found := next((one for one in holding if one.phone == phone), None)) is not None:
        return found
    if len(holding) >= MOST_PHONES:
        raise refuse("phone-key-everywhere", most=MOST_PHONES)
    name = f"{devices.ISSUER}: {person_of(context, user_id).user_name}"
    key = PhoneKey(context.ids.uuid("phone_key"), user_id, phone, name, secret, context.now)
    context.insert("phone_key", **asdict(key))
    return key


def remove_key(context: Context, phones: list[str] | None, key_id: str) -> None:
    """Take a key off one of these phones. Writes."""
    if key_id not in [one.key_id for one in list_keys(context, phones)]:
        raise refuse("phone-key-gone")
    context.delete("phone_key", key_id=key_id)


def _spelt(secret: str) -> str:
    """Return a key as apps keep it, whatever the way in which a person types it."""
    return "".join(secret.split()).upper()
