"""Ids that look like AWS's and depend on the seed alone.

An id is a hash of the seed, the kind and a counter kept in the state file: a fresh sandbox with the same seed
gives the same ids for the same calls, a restart continues where it was, and one kind's ids do not shift
another's.
"""

from __future__ import annotations

import hashlib
import sqlite3
import uuid

# The leading digits of an instance id depend on its home Region; seen in public repositories, not documented
# by AWS.
_INSTANCE_PREFIX_OF_REGION = {
    "us-east-1": "7223",
    "eu-west-1": "6804",
    "eu-central-1": "6987",
    "eu-north-1": "6508",
    "ap-southeast-2": "8259",
}


class IdFactory:
    """Draws ids inside the current transaction, so that a call that is rolled back draws none."""

    def __init__(self, connection: sqlite3.Connection, seed: int) -> None:
        self._connection = connection
        self._seed = seed

    def digest(self, kind: str) -> str:
        """Return the next 64 hex digits of a kind, such as ``"permission_set"``."""
        row = self._connection.execute(
            "INSERT INTO id_counter VALUES (?, 1) "
            "ON CONFLICT (kind) DO UPDATE SET next_value = next_value + 1 RETURNING next_value",
            (kind,),
        ).fetchone()
        return hashlib.sha256(f"{self._seed}/{kind}/{row[0]}".encode()).hexdigest()

    def uuid(self, kind: str) -> str:
        """Return a random-looking lowercase UUID (version 4)."""
        return str(uuid.UUID(hex=self.digest(kind)[:32], version=4))

    def instance_arn(self, region: str) -> str:
        """Return an instance ARN; AWS leaves Region and account out of it."""
        prefix = _INSTANCE_PREFIX_OF_REGION.get(region, "7000")
        return f"arn:aws:sso:::instance/ssoins-{prefix}{self.digest('instance')[:12]}"

    def identity_store_id(self) -> str:
        """Return an identity store id, ``d-`` and ten hex digits."""
        return f"d-{self.digest('identity_store')[:10]}"

    def permission_set_arn(self, instance_arn: str) -> str:
        """Return a permission set ARN within an instance."""
        instance_id = instance_arn.rpartition("/")[2]
        return f"arn:aws:sso:::permissionSet/{instance_id}/ps-{self.digest('permission_set')[:16]}"

    def role_suffix(self) -> str:
        """Return the 16 hex digits that end an ``AWSReservedSSO_`` role name; new for each role."""
        return self.digest("role")[:16]

    def identity_id(self, kind: str, identity_store_id: str) -> str:
        """Return a user, group or membership id in AWS's older form: ten hex digits and a UUID."""
        return f"{identity_store_id.removeprefix('d-')[:10]}-{self.uuid(kind)}"
