"""How the keys of JSON records are spelled: tables have them in lower case, DuckDB wants them as they are."""

from __future__ import annotations

import json
import mmap
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from idc_sandbox.athena.engine.types import HiveType, quoted

_LONGEST_SAMPLE = 500_000
_MOST_RECORDS = 2_000
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
_CLOUDTRAIL = """
    eventVersion userIdentity type principalId arn accountId invokedBy accessKeyId userName
    onBehalfOf userId identityStoreArn credentialId sessionContext attributes mfaAuthenticated
    creationDate sessionIssuer ec2RoleDelivery webIdFederationData federatedProvider inScopeOf
    sourceArn sourceAccount issuerType credentialsIssuedTo assumedRoot signInSessionArn eventTime
    eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage
    requestParameters responseElements additionalEventData requestID eventID readOnly resources ARN
    eventType apiVersion managementEvent recipientAccountId serviceEventDetails sharedEventID
    vpcEndpointId vpcEndpointAccountId eventCategory addendum reason updatedFields originalRequestID
    originalEventID sessionCredentialFromConsole edgeDeviceDetails tlsDetails tlsVersion cipherSuite
    clientProvidedHostHeader insightDetails eventContext
"""
CLOUDTRAIL_SPELLING = {name.lower(): name for name in _CLOUDTRAIL.split() if name not in ("ARN", "arn")}


@dataclass(frozen=True)
class Spelling:
    """The keys of a record, or of a struct inside, by their names in lower case."""

    keys: dict[str, str]
    inside: dict[str, Spelling]


def sample_records(text: bytes | mmap.mmap) -> list[dict[str, Any]]:
    """Return the first records of a JSON array, or of a text with a record on each line."""
    return list(_records(text[:_LONGEST_SAMPLE].decode("utf-8", "ignore")))[:_MOST_RECORDS]


def _records(text: str) -> Iterator[dict[str, Any]]:
    decoder, at = json.JSONDecoder(), 0
    between = re.compile(r"[\s,\[]*")
    for _ in range(_MOST_RECORDS):
        start = between.match(text, at)
        try:
            record, at = decoder.raw_decode(text, start.end() if start else at)
        except (ValueError, RecursionError):
            return
        if isinstance(record, dict):
            yield record


def spelling_of(
    kind: HiveType, samples: list[Any], text: bytes | mmap.mmap, known: Mapping[str, str]
) -> Spelling:
    """Return how a struct's fields are spelled: in samples, as they are known, or as the text has them."""
    counted: Counter[str] = Counter()
    for sample in samples:
        counted.update(list(sample))
    seen: dict[str, str] = {}
    for key, _ in counted.most_common():
        seen.setdefault(key.lower(), key)
    keys, inside = {}, {}
    missing = [name for name in kind.fields if name not in seen and name not in known]
    found = _in_text(missing, text)
    for name, field in kind.fields.items():
        keys[name] = seen.get(name) or known.get(name) or found.get(name, name)
        struct = _struct_of(field)
        if struct is not None:
            below = [item for sample in samples for item in _items(sample.get(keys[name]))]
            inside[name] = spelling_of(struct, below, text, known)
    return Spelling(keys, inside)


def _struct_of(kind: HiveType) -> HiveType | None:
    while kind.name in ("array", "map"):
        kind = list(kind.fields.values())[-1]
    return kind if kind.name == "struct" else None


def _items(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))
    elif isinstance(value, dict):
        yield value


def _in_text(names: list[str], text: bytes | mmap.mmap) -> dict[str, str]:
    if not names:
        return {}
    wanted = "|".join(re.escape(name) for name in names).encode()
    spelled: dict[str, str] = {}
    for match in re.finditer(rb'"(' + wanted + rb')"\s*:', text, re.IGNORECASE):
        key = match[1].decode("utf-8", "replace")
        spelled.setdefault(key.lower(), key)
        if len(spelled) == len(names):
            break
    return spelled


def spelled_type(kind: HiveType, spelling: Spelling | None) -> str:
    """Return DuckDB's type for a field whose keys are spelled so."""
    match kind.name:
        case "array":
            return f"{spelled_type(kind.fields['element'], spelling)}[]"
        case "map":
            return f"MAP({kind.fields['key'].in_duckdb()}, {spelled_type(kind.fields['value'], spelling)})"
        case "struct" if spelling is not None:
            fields = (
                f"{quoted(spelling.keys[name])} {spelled_type(field, spelling.inside.get(name))}"
                for name, field in kind.fields.items()
            )
            return f"STRUCT({', '.join(fields)})"
    return kind.in_duckdb()


def renamed(value: str, kind: HiveType, spelling: Spelling | None = None, depth: int = 0) -> str:
    """Return SQL for a value with a type's fields alone, named as there; DuckDB's casts leave the others."""
    if kind.name == "array":
        item = f"x{depth}"
        inner = renamed(item, kind.fields["element"], spelling, depth + 1)
        return value if inner == item else f"list_transform({value}, lambda {item}: {inner})"
    if kind.name != "struct":
        return value
    fields = {}
    for name, field in kind.fields.items():
        key, inside = (name, None) if spelling is None else (spelling.keys[name], spelling.inside.get(name))
        fields[name] = renamed(f"{value}.{quoted(key)}", field, inside, depth)
    packed = ", ".join(f"{quoted(name)}: {inner}" for name, inner in fields.items())
    return f"CASE WHEN {value} IS NOT NULL THEN {{{packed}}} END"
