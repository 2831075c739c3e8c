"""The objects of moto's S3 for the sandbox's own readers: listed and read without HTTP between."""

from __future__ import annotations

from typing import Any

from moto.s3.models import FakeKey

from idc_sandbox.aws_double import accounts
from idc_sandbox.context import AwsServices, Caller
from idc_sandbox.wire.permissions import require_permission, require_resource_policy


def bucket_owner(bucket: str) -> str | None:
    """Return the account that a bucket belongs to, or None when there is no such bucket."""
    found = accounts.find_bucket(bucket)
    return None if found is None else str(found.account_id)


def list_objects(bucket: str, prefix: str) -> list[tuple[str, int, str]]:
    """Return key, size and ETag of the objects under a prefix, in order."""
    found = accounts.find_bucket(bucket)
    keys = [] if found is None else [key for key in found.keys.values() if isinstance(key, FakeKey)]
    fitting = (key for key in keys if key.name.startswith(prefix))
    return sorted((key.name, key.contentsize, key.etag.strip('"')) for key in fitting)


def read_stored_object(bucket: str, key: str, start: int, length: int | None) -> bytes | None:
    """Return an object's bytes from a place on, at most so many; None when there is no such object."""
    found = accounts.find_bucket(bucket)
    stored: Any = None if found is None else found.keys.get(key)
    if not isinstance(stored, FakeKey):
        return None
    with stored.lock:  # moto's own for this file; reading a part spares a copy of the whole for each page
        stored._value_buffer.seek(start)
        body: bytes = stored._value_buffer.read(-1 if length is None else length)
    return body


def require_objects(double: AwsServices, caller: Caller, action: str, bucket: str, keys: list[str]) -> None:
    """Return when a caller may do something with each of these objects; no key means the bucket itself."""
    found = accounts.find_bucket(bucket)
    arns = [f"arn:aws:s3:::{bucket}/{key}" for key in keys] or [f"arn:aws:s3:::{bucket}"]
    require_permission(double, caller, action, *arns)
    if found is None or (found.policy is None and found.account_id == caller.account_id):
        return
    for arn in arns:
        is_own = found.account_id == caller.account_id
        require_resource_policy(double, caller, found.policy, action, arn, is_own=is_own)
