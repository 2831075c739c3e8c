"""An event in CloudTrail's record shape: who, what, with which parameters; secrets hidden, sizes bounded."""

# Sources: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html,
# https://docs.aws.amazon.com/singlesignon/latest/userguide/sso-info-in-cloudtrail.html
# Where AWS does not say what a field holds, docs/sandbox.md has a row about it.

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from typing import Any, NamedTuple

import orjson

from idc_sandbox.context import Caller, Origin, Signature
from idc_sandbox.errors import Request, Response, ServiceError, parse_json
from idc_sandbox.wire.models import Shape, service_model
from idc_sandbox.wire.protocols import (
    RestOperation,
    form_values,
    new_uuid,
    query_parameters,
    read_rest_input,
    read_xml,
)

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
Record = dict[str, Any]


@dataclass
class Attempt:
    """A request on its way through the gateway: what its event will say, as far as it is known."""

    request: Request
    rest: RestOperation | None = None
    signature: Signature | None = None
    # As boto3 and the API have them; empty until they, and who signed, are known: then there is no event.
    service_name: str = ""
    operation_name: str = ""
    event: Record = field(default_factory=dict)  # what only the handler knows, in place of what is made here
    # What the bodies of a JSON service's request and answer say, where that is known already.
    values: Record | None = None
    answered: Record | None = None


# Where the event source is not the service's name. Source: the table of events in the User Guide.
_SOURCES = {"sso-admin": "sso", "sso-oidc": "sso", "account-access-runtime": "account-access"}
_GLOBAL = ("iam", "organizations")  # their events are in us-east-1
_READING = (
    "Get", "List", "Describe", "Lookup", "Search", "BatchGet", "Head", "Simulate", "IsMember", "Test",
)  # fmt: skip
# They hand out keys, change nothing, and yet their answers are in the event.
_HANDING_OUT = ("AssumeRole", "GetSessionToken", "GetFederationToken")
# What people's clients send and get that opens something, and that the models do not mark.
_SECRETS = {
    "sso-oidc": frozenset({"deviceCode", "code", "userCode", "verificationUriComplete", "identityContext"}),
    "signin": frozenset({"code", "codeVerifier", "idToken"}),
    "sts": frozenset({"SessionToken"}),
}
_MASKS = {"organizations": "****"}
LASTING = {"managementEvent": True, "eventCategory": "Management"}
_SECONDS = 8  # many events have the same one


def is_reading(operation_name: str) -> bool:
    """Tell whether an operation only reads."""
    return operation_name.startswith(_READING)


def is_data_event(request: Request, service_name: str, operation_name: str) -> bool:
    """Tell whether a call is about objects in S3, which no trail records unless it is told to."""
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
    _, _, key = request.path.lstrip("/").partition("/")
    about_objects = operation_name.startswith(("ListObject", "DeleteObjects", "HeadBucket"))
    return service_name == "s3" and (bool(key) or about_objects)


class Frame(NamedTuple):
    """What the events of all such calls have in common: it is made, and written as JSON, only once."""

    members: Record
    text: bytes  # the members as JSON, without the brace at the end
    columns: tuple[str, str, str]  # account, Region and user name, by which events are found


def make_frame(attempt: Attempt, identity: Record) -> Frame:
    """Return the frame of a call's event."""
    name, service_name = attempt.operation_name, attempt.service_name
    region = attempt.signature.region if attempt.signature else "us-east-1"
    members: Record = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventSource": f"{_SOURCES.get(service_name, service_name)}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1" if service_name in _GLOBAL else region,
        **origin_members(origin_of(attempt.request)),
        "readOnly": is_reading(name) or name in _HANDING_OUT,
        "eventType": "AwsApiCall",
        "recipientAccountId": identity.get("accountId", ""),
        "tlsDetails": {"clientProvidedHostHeader": attempt.request.headers.get("host", "")},
        **LASTING,
    }
    cut_long_texts(members)
    return Frame(members, _json(members)[:-1], columns_of(members))


def make_record(attempt: Attempt, answer: Response, frame: Frame, now: float) -> Record:
    """Return what the record of a call that was answered, or refused, has besides its frame."""
    name, is_refused, response = attempt.operation_name, answer.status >= 400, None
    if not is_refused and (name in _HANDING_OUT or not frame.members["readOnly"]):
        response = _response(attempt, answer)
    record: Record = {
        "eventTime": timestamp(now),
        "requestParameters": _parameters(attempt),
        "responseElements": response,
        "requestID": request_id_of(answer),
    }
    if is_refused:
        record |= _failure(attempt, answer)
        cut_long_texts(record)
    return record


def in_each_account(record: Record) -> list[Record]:
    """Return a record, and of a role of another account the one that is there, which shares an id."""
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
    if record["eventName"] != "AssumeRole" or "errorCode" in record:
        return [record]
    role_arn = f"{(record['requestParameters'] or {}).get('roleArn', '')}"
    account_id = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    role = {"ARN": role_arn, "accountId": account_id, "type": "AWS::IAM::Role"}
    own = {**record, "resources": [role]}
    if account_id in ("", record["recipientAccountId"]):
        return [own]
    identity = record["userIdentity"]
    caller = {"type": "AWSAccount", **{name: identity[name] for name in ("principalId", "accountId")}}
    shared = {"sharedEventID": new_uuid()}
    return [own | shared, {**own, **shared, "userIdentity": caller, "recipientAccountId": account_id}]


def cut_long_texts(record: Record) -> None:
    """Leave no text of a record longer than CloudTrail's."""
    for name, longest in _LONGEST.items():
        if len(record.get(name) or "") > longest:
            record[name] = record[name][:longest]


def columns_of(record: Record) -> tuple[str, str, str]:
    """Return account, Region and user name of a record, by which it is found."""
    return record["recipientAccountId"], record["awsRegion"], name_of(record["userIdentity"])


def record_text(record: Record, beginning: bytes = b"") -> str:
    """Return a record as JSON, behind a frame's text, no field of it larger than CloudTrail's."""
    text = _json(record)
    if len(text) > _MAY_BE_LARGE:  # hardly ever: else no field need be looked at
        text = _json({name: _bounded(name, value) for name, value in record.items()})
    return (beginning + b"," + text[1:] if beginning else text).decode()


def _json(record: Record) -> bytes:
    try:
        return orjson.dumps(record)
    except TypeError:  # half of a surrogate pair, or a number of more than 64 bits
        pass
    try:
        return json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:  # a number that JSON does not have: its request was refused
        return json.dumps({**record, "requestParameters": None}, separators=(",", ":")).encode()


def timestamp(moment: float) -> str:
    """Return a time as records have it: ``2026-11-30T09:00:00Z``."""
    return _text_of(int(moment))


@functools.lru_cache(_SECONDS)
def _text_of(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


@functools.lru_cache(_SECONDS)
def moment_of(text: str) -> float:
    """Return the epoch seconds of a time as records have it."""
    return datetime.fromisoformat(text).timestamp()


def origin_of(request: Request) -> Origin:
    """Return where a request came from."""
    return Origin(request.address, request.headers.get("user-agent", ""))


def origin_members(origin: Origin) -> Record:
    """Return the members of a record that say where a request came from."""
    return {"sourceIPAddress": origin.address, "userAgent": origin.agent}


def request_id_of(answer: Response) -> str:
    """Return the request id that a client reads in an answer."""
    if request_id := answer.headers.get("x-amzn-RequestId"):
        return request_id
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return headers.get("x-amzn-requestid") or headers.get("x-amz-request-id") or ""


# Who: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html


def caller_identity(caller: Caller, known: Mapping[str, Any]) -> Record:
    """Return the identity of who signed a request; `known` are the condition keys of its policies."""
    name = caller.principal_arn.rpartition("/")[2]
    identity: Record = {
        "type": "IAMUser",
        "principalId": known.get("aws:userid", ""),
        "arn": caller.principal_arn,
        "accountId": caller.account_id,
        "accessKeyId": caller.access_key_id,
    }
    issued_at = known.get("aws:tokenissuetime")
    session: Record = {}
    if issued_at is not None:
        created = f"{issued_at}".removesuffix("+00:00") + "Z"
        session = {"attributes": {"creationDate": created, "mfaAuthenticated": "false"}}
    if ":assumed-role/" in caller.principal_arn:
        identity["type"] = "AssumedRole"
        session = {"sessionIssuer": _issuer("Role", identity["principalId"], known), **session}
    elif ":federated-user/" in caller.principal_arn:
        session = {"sessionIssuer": _issuer("IAMUser", identity["principalId"], known), **session}
        identity |= {"type": "FederatedUser", "principalId": f"{caller.account_id}:{name}"}
    else:
        identity["userName"] = name
    if session:
        identity["sessionContext"] = session
    if user_id := known.get("identitystore:userid"):
        identity["onBehalfOf"] = {
            "userId": user_id,
            "identityStoreArn": known.get("identitystore:identitystorearn", ""),
        }
    return identity


def _issuer(kind: str, principal_id: str, known: Mapping[str, Any]) -> Record:
    arn = f"{known.get('aws:principalarn', '')}"
    account_id = arn.split(":")[4] if arn.count(":") >= 5 else ""
    return {
        "type": kind,
        "principalId": principal_id.partition(":")[0],
        "arn": arn,
        "accountId": account_id,
        "userName": arn.rpartition("/")[2],
    }


def person_identity(
    account_id: str, user_id: str, identity_store_arn: str, credential_id: str = ""
) -> Record:
    """Return the identity of a person who has signed in to Identity Center."""
    identity: Record = {
        "type": "IdentityCenterUser",
        "accountId": account_id,
        "onBehalfOf": {"userId": user_id, "identityStoreArn": identity_store_arn},
    }
    return identity | ({"credentialId": credential_id} if credential_id else {})


def nobody(account_id: str) -> Record:
    """Return the identity of somebody who has not proved who they are."""
    return {
        "type": "Unknown",
        "principalId": account_id,
        "arn": "",
        "accountId": account_id,
        "accessKeyId": "",
    }


def name_of(identity: Mapping[str, Any]) -> str:
    """Return the name by which lookups find an identity: of the user, or of the session."""
    if "userName" in identity:
        return str(identity["userName"])
    if identity.get("type") == "IdentityCenterUser":
        return str(identity["onBehalfOf"]["userId"])
    return str(identity.get("arn", "")).rpartition("/")[2]


# What: the parameters of a request and the elements of its answer, as the operation's model names them.


def _parameters(attempt: Attempt) -> Record | None:
    request, service_name = attempt.request, attempt.service_name
    try:
        if service_name == "s3":
            return _of_s3(request)
        if attempt.rest is not None:
            return _shown(attempt, attempt.rest.model.input_shape, read_rest_input(attempt.rest, request))
        if "x-amz-target" in request.headers:
            values = parse_json(request.body or b"{}") if attempt.values is None else attempt.values
            return _shown(attempt, _model_shape(attempt, is_request=True), values) if values else None
        parameters = request.form
        if parameters.keys() <= {"Action", "Version"}:  # spares the first call the service's model
            return None
        shape = _model_shape(attempt, is_request=True)
        return None if shape is None else _shown(attempt, shape, form_values(shape, parameters))
    except (ValueError, LookupError, ServiceError):
        return None  # what could not be read was refused


def _of_s3(request: Request) -> Record:
    bucket = request.path.lstrip("/").partition("/")[0]
    signing = ("x-amz-", "awsaccesskeyid", "signature", "expires")
    query = query_parameters(request)
    shown = {name: value for name, value in query.items() if not name.lower().startswith(signing)}
    named = {"bucketName": bucket} if bucket else {}
    return {**named, "Host": request.headers.get("host", ""), **shown}


def _response(attempt: Attempt, answer: Response) -> Record | None:
    if attempt.service_name == "s3":
        return None
    try:
        shape = _model_shape(attempt, is_request=False)
        if attempt.answered is not None:
            return _shown(attempt, shape, attempt.answered)
        kind = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), "")
        if "xml" in kind:
            value = read_xml(shape, answer.body, attempt.operation_name) if shape else None
        else:
            value = json.loads(answer.body or b"null")
        return _shown(attempt, shape, value)
    except (ValueError, LookupError):
        return None


def _model_shape(attempt: Attempt, *, is_request: bool) -> Shape | None:
    if attempt.rest is not None:
        model = attempt.rest.model
    else:
        model = service_model(attempt.service_name).operation_model(attempt.operation_name)
    return model.input_shape if is_request else model.output_shape


def _shown(attempt: Attempt, shape: Shape | None, value: Any) -> Record | None:
    """Return a request or an answer as a record shows it: names in lower camel case, secrets hidden."""
    if shape is None or not isinstance(value, dict) or not value:
        return None
    shown = _show(shape, value, attempt.service_name)
    return shown if isinstance(shown, dict) and shown else None


def _show(shape: Shape, value: Any, service_name: str) -> Any:
    if shape.is_sensitive and value is not None:
        return _MASKS.get(service_name, HIDDEN)
    if shape.is_plain:
        return value
    if shape.type_name == "structure" and isinstance(value, dict):
        members, shown = _members(shape, service_name), {}
        for name, item in value.items():
            if name in members:
                shown_name, mask, inner = members[name]
                shown[shown_name] = mask or (item if inner is None else _show(inner, item, service_name))
        return shown
    if shape.type_name == "list" and isinstance(value, list):
        return [_show(shape.member, item, service_name) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: _show(shape.value, item, service_name) for name, item in value.items()}
    return value


@functools.cache
def _members(shape: Shape, service_name: str) -> dict[str, tuple[str, str, Shape | None]]:
    """Return how a record shows a structure's members: each one's name, mask, and type where that matters."""
    hidden, mask = _SECRETS.get(service_name, frozenset()), _MASKS.get(service_name, HIDDEN)
    return {
        name: (
            name[:1].lower() + name[1:],
            mask if name in hidden else "",
            None if member.is_plain and not member.is_sensitive else member,
        )
        for name, member in shape.members.items()
        # A secret key is not even hidden: it is not there.
        if name not in ("SecretAccessKey", "secretAccessKey")
    }


def _failure(attempt: Attempt, answer: Response) -> Record:
    """Return code and message of a refusal, as the client reads them."""
    if answer.body.lstrip()[:1] == b"<":
        code, message = _xml_text(answer.body, b"Code"), _xml_text(answer.body, b"Message")
        return {"errorCode": _modelled_code(attempt, code), "errorMessage": message}
    try:
        said = json.loads(answer.body or b"{}")
    except ValueError:
        said = {}
    code = f"{said.get('__type', '')}".rpartition("#")[2] or f"HTTP {answer.status}"
    return {"errorCode": code, "errorMessage": f"{said.get('message') or said.get('Message') or ''}"}


def _xml_text(body: bytes, name: bytes) -> str:
    _, found, rest = body.partition(b"<" + name + b">")
    text = rest.partition(b"</" + name + b">")[0] if found else b""
    return unescape(text.decode("utf-8", "replace"))


def _modelled_code(attempt: Attempt, code: str) -> str:
    """Return an error of the query protocol by its type's name: NoSuchEntityException for NoSuchEntity."""
    if attempt.service_name not in ("iam", "sts"):
        return code
    shapes = service_model(attempt.service_name).operation_model(attempt.operation_name).error_shapes
    found = (shape.name for shape in shapes if shape.metadata.get("error", {}).get("code") == code)
    return next(found, code)


# Sizes, by CloudTrail's page of record contents: what is larger is left out, and the record says so.
_LARGEST = {
    "requestParameters": 100 * 1024,
    "responseElements": 100 * 1024,
    "serviceEventDetails": 100 * 1024,
    "additionalEventData": 28 * 1024,
}
_MAY_BE_LARGE = min(_LARGEST.values())
_LONGEST = {"userAgent": 1024, "errorMessage": 1024, "errorCode": 1024, "requestID": 256}


def _bounded(name: str, value: Any) -> Any:
    size = len(json.dumps(value)) if name in _LARGEST and value is not None else 0
    if size <= _LARGEST.get(name, 0):
        return value
    return {"omitted": True, "originalSize": size, "reason": f"{name} too large"}
