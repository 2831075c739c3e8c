"""An event in CloudTrail's record shape: who, what, with which parameters; secrets hidden, sizes bounded."""

# Sources: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html,
# https://docs.aws.amazon.com/singlesignon/latest/userguide/sso-info-in-cloudtrail.html
# Where AWS does not say what a field holds, docs/sandbox.md has a row about it.

from __future__ import annotations

import functools
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import orjson

from idc_sandbox.context import Caller, Origin, Signature
from idc_sandbox.errors import Request, Response, ServiceError, parse_json
from idc_sandbox.wire.models import Shape, service_model
from idc_sandbox.wire.protocols import (
    RestOperation,
    form_parameters,
    form_values,
    query_parameters,
    read_rest_input,
    read_xml,
)

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
Record = dict[str, Any]


@dataclass
class Attempt:
    """A request on its way through the gateway: what its event will say, as far as it is known.

    Attributes
    ----------
    service_name, operation_name
        As boto3 and the API have them; empty until they are known, and then there is no event.
    event
        Members of the record that only the handler knows; they take the place of those made here.
    values, answered
        What the bodies of a JSON service's request and answer say, where that is known already.
    """

    request: Request
    rest: RestOperation | None = None
    signature: Signature | None = None
    service_name: str = ""
    operation_name: str = ""
    event: Record = field(default_factory=dict)
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


def is_reading(operation_name: str) -> bool:
    """Tell whether an operation only reads."""
    return operation_name.startswith(_READING)


def is_data_event(request: Request, service_name: str, operation_name: str) -> bool:
    """Tell whether a call is about objects in S3, which no trail records unless it is told to."""
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
    _, _, key = request.path.lstrip("/").partition("/")
    about_objects = operation_name.startswith(("ListObject", "DeleteObjects", "HeadBucket"))
    return service_name == "s3" and (bool(key) or about_objects)


def make_record(attempt: Attempt, answer: Response, identity: Record, now: float) -> Record:
    """Return the record of a call that was answered, or refused."""
    request, name, service_name = attempt.request, attempt.operation_name, attempt.service_name
    region = attempt.signature.region if attempt.signature else "us-east-1"
    is_read = is_reading(name) or name in _HANDING_OUT
    record: Record = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": timestamp(now),
        "eventSource": f"{_SOURCES.get(service_name, service_name)}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1" if service_name in _GLOBAL else region,
        **origin_members(origin_of(request)),
    }
    response = None
    if answer.status >= 400:
        record |= _failure(attempt, answer)
    elif not is_read or name in _HANDING_OUT:
        response = _response(attempt, answer)
    record |= {
        "requestParameters": _parameters(attempt),
        "responseElements": response,
        "requestID": request_id_of(answer),
        "readOnly": is_read,
        "eventType": "AwsApiCall",
        "recipientAccountId": identity.get("accountId", ""),
        "tlsDetails": {"clientProvidedHostHeader": request.headers.get("host", "")},
    }
    return record | attempt.event


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
    shared = {"sharedEventID": str(uuid.uuid4())}
    return [own | shared, {**own, **shared, "userIdentity": caller, "recipientAccountId": account_id}]


def finished(record: Record) -> Record:
    """Return a record with what all have, no text of it longer than CloudTrail's."""
    cut = {name: record[name][:longest] for name, longest in _LONGEST.items() if record.get(name)}
    lasting = {"eventID": str(uuid.uuid4()), "managementEvent": True, "eventCategory": "Management"}
    return {**record, **cut, **lasting}


def record_text(record: Record) -> str:
    """Return a record as JSON, no field of it larger than CloudTrail's."""
    text = _json(record)
    if len(text) > min(_LARGEST.values()):  # hardly ever: else no field need be looked at
        text = _json({name: _bounded(name, value) for name, value in record.items()})
    return text.decode()


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
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def origin_of(request: Request) -> Origin:
    """Return where a request came from."""
    return Origin(request.address, request.headers.get("user-agent", ""))


def origin_members(origin: Origin) -> Record:
    """Return the members of a record that say where a request came from."""
    return {"sourceIPAddress": origin.address, "userAgent": origin.agent}


def request_id_of(answer: Response) -> str:
    """Return the request id that a client reads in an answer."""
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
            return _shown(attempt, None, values, is_request=True)
        parameters = form_parameters(request)
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
    kind = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), "")
    try:
        shape = _model_shape(attempt, is_request=False)
        if attempt.answered is not None:
            value: Any = attempt.answered
        elif "xml" in kind:
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


def _shown(attempt: Attempt, shape: Shape | None, value: Any, *, is_request: bool = False) -> Record | None:
    """Return a request or an answer as a record shows it: names in lower camel case, secrets hidden."""
    if not isinstance(value, dict) or not value:
        return None
    if shape is None and is_request:
        shape = _model_shape(attempt, is_request=True)
    if shape is None:
        return None
    hidden = _SECRETS.get(attempt.service_name, frozenset())
    shown = _show(shape, value, hidden, _MASKS.get(attempt.service_name, HIDDEN))
    return shown if isinstance(shown, dict) and shown else None


def _show(shape: Shape, value: Any, hidden: frozenset[str], mask: str) -> Any:
    if shape.is_sensitive and value is not None:
        return mask
    if shape.is_plain:
        return value
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            _lower_first(name): mask if name in hidden else _show(shape.members[name], item, hidden, mask)
            for name, item in value.items()
            # A secret key is not even hidden: it is not there.
            if name in shape.members and name not in ("SecretAccessKey", "secretAccessKey")
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_show(shape.member, item, hidden, mask) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: _show(shape.value, item, hidden, mask) for name, item in value.items()}
    return value


@functools.cache
def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


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
_LONGEST = {"userAgent": 1024, "errorMessage": 1024, "errorCode": 1024, "requestID": 256}


def _bounded(name: str, value: Any) -> Any:
    size = len(json.dumps(value)) if name in _LARGEST and value is not None else 0
    if size <= _LARGEST.get(name, 0):
        return value
    return {"omitted": True, "originalSize": size, "reason": f"{name} too large"}
