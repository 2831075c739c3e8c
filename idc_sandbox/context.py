"""What a handler gets to work with: one request's transaction, caller, Region, clock and ids."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from idc_sandbox.clock import now
from idc_sandbox.identifiers import IdFactory

if TYPE_CHECKING:
    from idc_sandbox.aws_double import AwsDouble


@dataclass(frozen=True)
class Caller:
    """Who signed a request.

    Attributes
    ----------
    account_id
        Twelve digits.
    principal_arn
        ARN of the IAM user or of the assumed-role session.
    access_key_id
        The key that signed; never logged.
    """

    account_id: str
    principal_arn: str
    access_key_id: str = field(repr=False)


@dataclass(frozen=True)
class Context:
    """One request inside its transaction.

    Attributes
    ----------
    connection
        SQLite connection inside the request's transaction; a handler that raises leaves nothing behind.
    caller, region
        From the request's signature.
    ids
        Seeded ids.
    double
        moto's services behind the same port: the organization and the roles in its accounts.
    site_url
        Where people reach the pages, without a slash at the end: ``https://HOST/PREFIX`` or so.
    browser
        The random name of the browser that visits the pages; empty for everybody else. What a person does
        there, signing in above all, goes on in that browser only.
    """

    connection: sqlite3.Connection
    caller: Caller
    region: str
    ids: IdFactory
    double: AwsDouble
    site_url: str = "http://localhost"
    browser: str = field(default="", repr=False)

    @property
    def now(self) -> float:
        """The sandbox's time, epoch seconds."""
        return now(self.connection)
