"""S3: which permissions a request needs (moto's list is short), and objects for the sandbox's readers."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse
from xml.parsers.expat import ExpatError

import xmltodict
from moto.s3.models import FakeKey, s3_backends

from idc_sandbox.aws_double import accounts
from idc_sandbox.aws_double.administrator import MANAGEMENT_ACCOUNT_ID
from idc_sandbox.context import AwsServices, Caller
from idc_sandbox.errors import Request, ServiceError
from idc_sandbox.packaged import packaged_text
from idc_sandbox.wire.permissions import require_permission, require_resource_policy

_TABLES = tomllib.loads(packaged_text("data/s3_actions.toml"))
_ACTIONS: dict[str, dict[str, dict[str, str]]] = _TABLES["actions"]
_SUB_RESOURCES = {"delete", *_TABLES["not_offered"]}.union(
    *(names for methods in _ACTIONS.values() for names in methods.values())
) - {""}
_MOST_DELETED = 1000


def needed_permissions(request: Request, resource: str) -> list[tuple[str, str]]:
    """Return the actions that a request needs, such as ``"s3:GetObject"``, each with its resource's ARN."""
    name = resource.partition(":::")[2]
    query = parse_qs(request.query, keep_blank_values=True)
    asked = sorted(_SUB_RESOURCES & query.keys())
    if len(asked) > 1:
        raise ServiceError("InvalidArgument", f"Conflicting query string parameters: {', '.join(asked)}.")
    sub_resource = asked[0] if asked else ""
    if name == "*":
        return [("s3:ListAllMyBuckets", "*")]
    kind = "object" if "/" in name else "bucket"
    if (kind, request.method, sub_resource) == ("bucket", "POST", "delete"):
        return list(_of_many(request, resource))
    action = _ACTIONS[kind].get(request.method, {}).get(sub_resource)
    if action is None:
        raise ServiceError(
            "UnknownOperationException",
            f"The sandbox's s3 has no {request.method} of {sub_resource or 'nothing'!r} of a {kind}.",
        )
    if kind == "object" and "versionId" in query and sub_resource in _TABLES["with_versions"]:
        action = action.replace("Object", "ObjectVersion", 1)
    found = [(f"s3:{action}", resource)]
    if kind == "object":
        by_header: dict[str, str] = _TABLES["by_header"]
        found += [(f"s3:{more}", resource) for name, more in by_header.items() if name in request.headers]
        if any(header.startswith("x-amz-grant-") for header in request.headers):
            found.append(("s3:PutObjectAcl", resource))
    return [*found, *_of_source(request)]


def bucket_of(resource: str) -> str:
    """Return the name of the bucket in an ARN of S3; empty when it is about all of them."""
    return resource.partition(":::")[2].partition("/")[0].replace("*", "")


def _of_source(request: Request) -> Iterator[tuple[str, str]]:
    """Yield the permission for what is copied, read as moto reads it."""
    source = request.headers.get("x-amz-copy-source")
    if source is None:
        return
    parts = urlparse(source)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    if parts.scheme or parts.netloc or parts.params or parts.fragment or not (bucket and key):
        raise ServiceError(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey, URL-encoded; found "
            f"{source[:200]!r}.",
        )
    has_version = "versionId" in parse_qs(parts.query, keep_blank_values=True)
    action = "s3:GetObjectVersion" if has_version else "s3:GetObject"
    yield action, f"arn:aws:s3:::{bucket}/{key}"


def _of_many(request: Request, resource: str) -> Iterator[tuple[str, str]]:
    """Yield the permissions for the objects of a DeleteObjects."""
    try:
        wanted = xmltodict.parse(request.body, strip_whitespace=False, force_list=("Object",))
        objects: list[Any] = wanted["Delete"]["Object"]
        named = [(item["Key"], item.get("VersionId")) for item in objects]
    except (ExpatError, KeyError, TypeError, AttributeError, ValueError):
        named = []
    if not 0 < len(named) <= _MOST_DELETED or not all(isinstance(key, str) for key, _ in named):
        message = "The XML you provided was not well-formed or did not validate against our published schema"
        raise ServiceError("MalformedXML", message)
    for key, version in named:
        yield ("s3:DeleteObject" if version is None else "s3:DeleteObjectVersion", f"{resource}/{key}")
    if "x-amz-bypass-governance-retention" in request.headers:
        yield from {("s3:BypassGovernanceRetention", f"{resource}/{key}") for key, _ in named}


def bucket_owner(bucket: str) -> str | None:
    """Return the account that a bucket belongs to, or None when there is no such bucket."""
    found = find_bucket(bucket)
    return None if found is None else str(found.account_id)


def list_objects(bucket: str, prefix: str) -> list[tuple[str, int, str]]:
    """Return key, size and ETag of the objects under a prefix, in order."""
    found = find_bucket(bucket)
    keys = [] if found is None else [key for key in found.keys.values() if isinstance(key, FakeKey)]
    fitting = (key for key in keys if key.name.startswith(prefix))
    return sorted((key.name, key.contentsize, key.etag.strip('"')) for key in fitting)


def read_stored_object(bucket: str, key: str, start: int, length: int | None) -> bytes | None:
    """Return an object's bytes from a place on, at most so many; None when there is no such object."""
    found = find_bucket(bucket)
    stored: Any = None if found is None else found.keys.get(key)
    if not isinstance(stored, FakeKey):
        return None
    with stored.lock:  # moto's own for this file; reading a part spares a copy of the whole for each page
        stored._value_buffer.seek(start)
        body: bytes = stored._value_buffer.read(-1 if length is None else length)
    return body


def require_objects(double: AwsServices, caller: Caller, action: str, bucket: str, keys: list[str]) -> None:
    """Return when a caller may do something with each of these objects; no key means the bucket itself."""
    found = find_bucket(bucket)
    arns = [f"arn:aws:s3:::{bucket}/{key}" for key in keys] or [f"arn:aws:s3:::{bucket}"]
    require_permission(double, caller, action, *arns)
    if found is None or (found.policy is None and found.account_id == caller.account_id):
        return
    for arn in arns:
        is_own = found.account_id == caller.account_id
        require_resource_policy(double, caller, found.policy, action, arn, is_own=is_own)


def create_trail_bucket(name: str) -> None:
    """Make the bucket of the organization's trail, as companies have it: in the account of the logs."""
    if find_bucket(name) is not None:
        return
    backend = s3_backends[accounts.log_archive_account_id()]["aws"]
    backend.create_bucket(name, "us-east-1")
    arn = f"arn:aws:s3:::{name}"
    writes = {"Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject"}
    management = {"AWS": f"arn:aws:iam::{MANAGEMENT_ACCOUNT_ID}:root"}
    reads = ["s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"]
    statements = [
        {"Sid": "TrailWrites", "Effect": "Allow", **writes, "Resource": f"{arn}/AWSLogs/*"},
        {"Sid": "ManagementReads", "Effect": "Allow", "Principal": management, "Action": reads,
         "Resource": [arn, f"{arn}/*"]},
    ]  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": statements}
    backend.buckets[name].policy = json.dumps(policy).encode()


def put_trail_objects(bucket_name: str, objects: Mapping[str, bytes]) -> None:
    """Put JSON that is packed with gzip into a bucket, by key."""
    bucket = find_bucket(bucket_name)
    if bucket is None:
        raise ServiceError("NoSuchBucket", f"The bucket {bucket_name!r} is not there.", status=404)
    for key, body in objects.items():
        made = s3_backends[bucket.account_id]["aws"].put_object(bucket_name, key, body)
        made.set_metadata({"Content-Type": "application/json", "Content-Encoding": "gzip"})


def find_bucket(name: str) -> Any:
    """Return moto's bucket of a name, whosever it is, or None."""
    backends = (partitions["aws"] for partitions in list(s3_backends.values()))
    return next((found for backend in backends if (found := backend.buckets.get(name))), None)
