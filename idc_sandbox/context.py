"""What a handler works with: a request's transaction, caller, Region, clock and ids, and moto's services."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from idc_sandbox.errors import Request, Response
from idc_sandbox.store import IdFactory, now

IDENTITY_CENTER = "sso.amazonaws.com"  # as AWS Organizations names the service
ACCOUNT_ACCESS_SERVICE = "account-access.amazonaws.com"


@dataclass(frozen=True)
class Caller:
    """Who signed a request."""

    account_id: str
    principal_arn: str
    access_key_id: str = field(repr=False)


@dataclass(frozen=True)
class Signature:
    """A checked signature."""

    caller: Caller
    region: str
    service_name: str


@dataclass(frozen=True)
class Origin:
    """Where a request or a visit came from, as far as it says so."""

    address: str = "127.0.0.1"
    agent: str = ""


@dataclass(frozen=True)
class IssuedKey:
    """An access key that the sandbox has issued."""

    secret: str = field(repr=False)
    session_token: str | None = field(repr=False)
    caller: Caller
    expires_at: float | None


@dataclass(frozen=True)
class LoginProfile:
    """An IAM user's password of the console, as moto keeps it."""

    password: str = field(repr=False)
    must_change: bool


@dataclass(frozen=True)
class AccessPolicies:
    """What bears on a caller's permissions; documents are JSON text."""

    identity: list[str]
    ceilings: list[list[str]]
    context: dict[str, str | list[str]] = field(default_factory=dict)
    # How many of the ceilings, the first ones, are service control policies: AWS's refusals name them.
    service_control_levels: int = 0


class AwsServices(Protocol):
    """What is asked of moto's services: `AwsDouble` has it, and so have its stand-ins."""

    management_account_id: str
    is_loaded: bool  # or else what comes next may take as long as moto's import

    def handle(self, request: Request, signature: Signature) -> Response:
        """Answer a request to one of these services."""

    def forget(self) -> None:
        """Give up what memory holds: the state file holds something else now."""

    def account_ids(self) -> set[str]:
        """Return the ACTIVE accounts of the organization, the management account included."""

    def closed_account_ids(self) -> set[str]:
        """Return the accounts of the organization that are not ACTIVE."""

    def describe_account(self, account_id: str) -> tuple[str, str, str] | None:
        """Return id, name and e-mail address of an account, or None for one that is not there."""

    def delegated_administrators(self, service_principal: str) -> set[str]:
        """Return the delegated administrators of a service such as ``sso.amazonaws.com``."""

    def organization_id(self) -> str:
        """Return the organization's id, such as ``o-exampleorgid``."""

    def create_trail_bucket(self, name: str) -> None:
        """Make the bucket of the organization's trail, if there is none of this name. Writes."""

    def put_trail_objects(self, bucket_name: str, objects: Mapping[str, bytes]) -> None:
        """Put JSON that is packed with gzip into a bucket, by key. Writes."""

    def enable_trusted_access(self, service_principal: str) -> None:
        """Let a service work in all accounts. Writes."""

    def has_trusted_access(self, service_principal: str) -> bool:
        """Tell whether a service may work in all accounts."""

    def administrator_credentials(self) -> tuple[str, str]:
        """Return access key id and secret of the sandbox's administrator."""

    def secret_of(self, access_key_id: str) -> IssuedKey | None:
        """Return an issued access key, expired ones included; None when it is unknown or inactive."""

    def access_policies(self, caller: Caller) -> AccessPolicies:
        """Return the policies that decide what a caller may do."""

    def trust_document(self, role_arn: str) -> str | None:
        """Return a role's trust policy (JSON text), or None when there is no such role."""

    def bucket_owner(self, bucket: str) -> str | None:
        """Return the account that a bucket of S3 belongs to, or None when there is no such bucket."""

    def list_objects(self, bucket: str, prefix: str) -> list[tuple[str, int, str]]:
        """Return key, size and ETag of a bucket's objects under a prefix, in order."""

    def read_object(self, bucket: str, key: str, start: int, length: int | None) -> bytes | None:
        """Return an object's bytes from a place on, at most so many; None when there is no such object."""

    def require_objects(self, caller: Caller, action: str, bucket: str, keys: list[str]) -> None:
        """Return when a caller may do something with each of these objects of S3, or with the bucket."""

    def longest_session_s(self, role_arn: str) -> int | None:
        """Return how long a role's sessions may last, or None when there is no such role."""

    def now(self) -> float:
        """Return the sandbox's time, epoch seconds."""

    def is_managed_policy(self, policy_arn: str) -> bool:
        """Tell whether AWS has a managed policy of this ARN."""

    def aws_managed_policies(self) -> list[str]:
        """Return the ARNs of all of AWS's managed policies, by name."""

    def customer_managed_policy_exists(self, account_id: str, path: str, name: str) -> bool:
        """Tell whether an account has a customer managed policy of this path and name."""

    def put_reserved_role(self, account_id: str, **wanted: Any) -> str:
        """Make the role of a permission set in an account what the set says, and return its ARN. Writes."""

    def delete_reserved_role(self, account_id: str, role_name: str) -> None:
        """Delete the role of a permission set from an account, if it is there. Writes."""

    def assume_reserved_role(
        self, account_id: str, role_name: str, *, session_name: str, duration_s: int, carried: dict[str, str]
    ) -> tuple[str, str, str, float] | None:
        """Return keys of a permission set's role, or None when the account has no such role. Writes."""

    def login_profile(self, account_id: str, user_name: str) -> LoginProfile | None:
        """Return the console password of an IAM user, or None when there is no such user or password."""

    def issue_user_keys(
        self, account_id: str, user_name: str, duration_s: int
    ) -> tuple[str, str, str, float] | None:
        """Return temporary keys of an IAM user, or None when the account has no such user. Writes."""


def administrator_of(double: AwsServices) -> Caller:
    """Return the IAM user that opens the sandbox, as a caller."""
    account_id, (key, _) = double.management_account_id, double.administrator_credentials()
    return Caller(account_id, f"arn:aws:iam::{account_id}:user/sandbox-administrator", key)


@dataclass(frozen=True)
class Context:
    """One request inside its transaction."""

    connection: sqlite3.Connection
    caller: Caller
    region: str
    ids: IdFactory
    double: AwsServices
    site_url: str = "http://localhost"
    browser: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # of a request that is rest-json
    operation_name: str = ""
    origin: Origin = Origin()
    # What the call's event in the trail says besides, in place of what can be seen from outside.
    event: dict[str, Any] = field(default_factory=dict, repr=False)
    # Adds another event to the trail, with this transaction; one that is refused stays when that is undone.
    record: Callable[[dict[str, Any]], None] = field(default=lambda _record: None, repr=False)
    identity_of: Callable[[Caller], dict[str, Any]] = field(default=lambda _caller: {}, repr=False)

    @property
    def now(self) -> float:
        """The sandbox's time, epoch seconds."""
        return now(self.connection)

    def execute(self, statement: str, *values: Any, **named: Any) -> sqlite3.Cursor:
        """Run a statement with the values of its question marks, or of its ``:names``."""
        return self.connection.execute(statement, named or values)

    def rows(self, query: str, *values: Any, **named: Any) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self.execute(query, *values, **named).fetchall()

    def row(self, query: str, *values: Any, **named: Any) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        row: sqlite3.Row | None = self.execute(query, *values, **named).fetchone()
        return row

    def value(self, query: str, *values: Any, **named: Any) -> Any:
        """Return the first column of a query's first row, or None."""
        row = self.row(query, *values, **named)
        return None if row is None else row[0]

    def find_all(self, table: str, **key: Any) -> list[sqlite3.Row]:
        """Return the rows of a table that have these values."""
        return self.rows(f"SELECT * FROM {table} WHERE {_conditions(key)}", *key.values())  # noqa: S608

    def find(self, table: str, **key: Any) -> sqlite3.Row | None:
        """Return the first row of a table that has these values, or None."""
        return next(iter(self.find_all(table, **key)), None)

    def find_live(self, table: str, **key: Any) -> sqlite3.Row | None:
        """Return the first row of a table that has these values and has not expired, or None."""
        return next((row for row in self.find_all(table, **key) if row["expires_at"] > self.now), None)

    def delete(self, table: str, **key: Any) -> int:
        """Delete the rows of a table that have these values, and return how many."""
        deleted = self.execute(f"DELETE FROM {table} WHERE {_conditions(key)}", *key.values())  # noqa: S608
        return deleted.rowcount

    def insert(self, table: str, **columns: Any) -> None:
        """Add a row to a table."""
        self._write("INSERT", table, columns)

    def replace(self, table: str, **columns: Any) -> None:
        """Add a row to a table, in place of the one with the same key."""
        self._write("INSERT OR REPLACE", table, columns)

    def _write(self, verb: str, table: str, columns: dict[str, Any]) -> None:
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        self.execute(f"{verb} INTO {table} ({names}) VALUES ({places})", *columns.values())

    def update(self, table: str, row: sqlite3.Row, **columns: Any) -> None:
        """Change columns of a row that was read whole: the first of its columns is the table's key."""
        changes = ", ".join(f"{name} = ?" for name in columns)
        statement = f"UPDATE {table} SET {changes} WHERE {row.keys()[0]} = ?"  # noqa: S608
        self.execute(statement, *columns.values(), row[0])


def _conditions(key: dict[str, Any]) -> str:
    return " AND ".join(f"{column} = ?" for column in key)
