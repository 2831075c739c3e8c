"""What a test's Identity Center begins with: people, groups, permission sets, who reaches which account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

Seed = Mapping[str, Any]
# The words are those of the lesson's scenarios (parameters/sandbox.yaml), where both have them.
_ENTRIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "users": ("user_name", ("given_name", "family_name", "display_name", "email", "groups")),
    "groups": ("display_name", ("description",)),
    "permission_sets": (
        "name",
        ("description", "session_duration", "relay_state", "managed_policies", "inline_policy", "tags"),
    ),
    "account_assignments": ("permission_set", ("user", "group", "accounts")),
}
_SINGLE = ("region", "instance", "organization")


class SeedError(Exception):
    """A seed cannot be used; the message names the entry, what was found and what to do."""


def read_seed(given: Seed | Path | str) -> dict[str, Any]:
    """Return a seed from a mapping, or from a YAML or JSON file; each entry is a mapping afterwards."""
    values, where = given, "the seed"
    if isinstance(given, Path | str):
        import yaml  # noqa: PLC0415  a seed in Python needs none

        where = f"the seed {str(given)!r}"
        try:
            values = yaml.safe_load(Path(given).read_text("utf-8")) or {}
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise SeedError(f"{where} cannot be read: {error}. Give a YAML or JSON file.") from error
    if not isinstance(values, Mapping):
        raise SeedError(f"{where} is {values!r}, not a mapping. Give {_listed((*_ENTRIES, *_SINGLE))}.")
    _require_known(values, where, (*_ENTRIES, *_SINGLE))
    found = {name: values[name] for name in _SINGLE if values.get(name) is not None}
    for name, (key, known) in _ENTRIES.items():
        entries = values.get(name) or []
        if not isinstance(entries, list | tuple):
            raise SeedError(f"{name} of {where} is {entries!r}, not a list. Give a list of entries.")
        found[name] = [_entry(one, f"{name} of {where}", key, known) for one in entries]
    organization = found.get("organization")
    if isinstance(given, Path | str) and isinstance(organization, str):
        found["organization"] = Path(given).absolute().parent / organization
    return found


def _entry(given: Any, where: str, key: str, known: Iterable[str]) -> dict[str, Any]:
    """Return an entry whole: a name alone is one too."""
    entry = {key: given} if isinstance(given, str) else given
    if not isinstance(entry, Mapping) or not isinstance(entry.get(key), str):
        raise SeedError(f"an entry of {where} is {given!r}. Give a mapping with {key!r}, or that name alone.")
    _require_known(entry, f"{entry[key]!r} in {where}", (key, *known))
    return dict(entry)


def _require_known(values: Mapping[str, Any], where: str, known: tuple[str, ...]) -> None:
    unknown = sorted(str(name) for name in values if name not in known)
    if unknown:
        raise SeedError(f"{where} has {unknown[0]!r}, which it cannot have. There are: {_listed(known)}.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


class Planting:
    """Puts a seed into an instance by AWS's own calls: nothing stands there that a caller could not make."""

    def __init__(self, client: Callable[[str], Any], instance: Mapping[str, str]) -> None:
        self._sso, self._store = client("sso-admin"), client("identitystore")
        self._organizations = client("organizations")
        self._instance = {"InstanceArn": instance["InstanceArn"]}
        self._store_id = {"IdentityStoreId": instance["IdentityStoreId"]}
        self._ids: dict[tuple[str, str], str] = {}

    def plant(self, seed: Seed) -> None:
        """Make everything that a seed names. Writes."""
        for group in seed["groups"]:
            created = self._store.create_group(
                **self._store_id,
                DisplayName=group["display_name"],
                **_texts(group, Description="description"),
            )
            self._ids["group", group["display_name"]] = created["GroupId"]
        for user in seed["users"]:
            self._add_user(user)
        for permission_set in seed["permission_sets"]:
            self._add_permission_set(permission_set)
        for assignment in seed["account_assignments"]:
            self._assign(assignment)

    def _add_user(self, user: Mapping[str, Any]) -> None:
        name = user["user_name"]
        given, family = user.get("given_name", name), user.get("family_name", name)
        address = user.get("email", name if "@" in name else f"{name}@example.com")
        created = self._store.create_user(
            **self._store_id,
            UserName=name,
            DisplayName=user.get("display_name", given if given == family else f"{given} {family}"),
            Name={"GivenName": given, "FamilyName": family},
            Emails=[{"Value": address, "Type": "work", "Primary": True}],
        )
        self._ids["user", name] = created["UserId"]
        for group in user.get("groups", ()):
            self._store.create_group_membership(
                **self._store_id,
                GroupId=self._id("group", group, f"the user {name!r}"),
                MemberId={"UserId": created["UserId"]},
            )

    def _add_permission_set(self, wanted: Mapping[str, Any]) -> None:
        created = self._sso.create_permission_set(
            **self._instance,
            Name=wanted["name"],
            Tags=[{"Key": key, "Value": value} for key, value in wanted.get("tags", {}).items()],
            **_texts(
                wanted,
                Description="description",
                SessionDuration="session_duration",
                RelayState="relay_state",
            ),
        )
        arn = created["PermissionSet"]["PermissionSetArn"]
        self._ids["permission_set", wanted["name"]] = arn
        named = {**self._instance, "PermissionSetArn": arn}
        for policy in wanted.get("managed_policies", ()):
            policy_arn = policy if policy.startswith("arn:") else f"arn:aws:iam::aws:policy/{policy}"
            self._sso.attach_managed_policy_to_permission_set(**named, ManagedPolicyArn=policy_arn)
        if policy := wanted.get("inline_policy"):
            text = policy if isinstance(policy, str) else json.dumps(policy)
            self._sso.put_inline_policy_to_permission_set(**named, InlinePolicy=text)

    def _assign(self, wanted: Mapping[str, Any]) -> None:
        where = f"the assignment of {wanted['permission_set']!r}"
        kinds = [kind for kind in ("user", "group") if wanted.get(kind)]
        if len(kinds) != 1:
            raise SeedError(
                f"{where} names {_listed(kinds) or 'nobody'}. Give `user` or `group`, one of them."
            )
        (kind,) = kinds
        accounts = self.accounts()
        for account in wanted.get("accounts", ()):
            account_id = accounts.get(account, account)
            if account_id not in accounts.values():
                raise SeedError(f"{where} names the account {account!r}. There are: {_listed(accounts)}.")
            self._sso.create_account_assignment(
                **self._instance,
                PermissionSetArn=self._id("permission_set", wanted["permission_set"], where),
                TargetType="AWS_ACCOUNT",
                TargetId=account_id,
                PrincipalType=kind.upper(),
                PrincipalId=self._id(kind, wanted[kind], where),
            )

    def accounts(self) -> dict[str, str]:
        """Return the ids of the organization's accounts by their names."""
        pages = self._organizations.get_paginator("list_accounts").paginate()
        return {account["Name"]: account["Id"] for page in pages for account in page["Accounts"]}

    def _id(self, kind: str, name: str, where: str) -> str:
        found = self._ids.get((kind, name))
        if found is None:
            names = _listed(other for known, other in self._ids if known == kind) or "none"
            raise SeedError(f"{where} names the {kind.replace('_', ' ')} {name!r}. There are: {names}.")
        return found


def _texts(entry: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """Return an operation's members for those names that an entry has."""
    return {member: entry[name] for member, name in names.items() if entry.get(name) is not None}
