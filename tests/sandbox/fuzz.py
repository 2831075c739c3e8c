"""Requests that nobody would send, from a seed: good ones with something wrong in them, correctly signed."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

from idc_sandbox.errors import Request
from idc_sandbox.wire.models import Shape, service_model, violations
from idc_sandbox.wire.signatures import ALGORITHM, Claim, signature_v4

HOST = "127.0.0.1:8723"
TARGETS = {
    "sso-admin": ("sso", "SWBExternalService"),
    "identitystore": ("identitystore", "AWSIdentityStore"),
    "organizations": ("organizations", "AWSOrganizationsV20161128"),
    "cloudtrail": ("cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"),
    "athena": ("athena", "AmazonAthena"),
    "glue": ("glue", "AWSGlue"),
}
# rest-json services, with their signing names
REST = {
    "sso-oidc": "sso-oauth",
    "sso": "sso-oauth",
    "signin": "signin",
    "account-access": "account-access",
    "account-access-runtime": "account-access",
}
VERSIONS = {"sts": "2011-06-15", "iam": "2010-05-08"}
FORM = "application/x-www-form-urlencoded; charset=utf-8"
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
TEXTS = (
    *(
        "",
        " ",
        "x",
        "\u00fc\u00f1\u00ef",
        "\u0664",
        "\x00",
        "\ud7ff\uffff",
        "\U0001f600",
        "../../etc",
        "null",
        "-1",
        "0",
        "1e309",
        "9" * 400,
    ),
    *("%s%n", "${x}", "<a>", "<!DOCTYPE x>", "'; --", "true", "[]", "{}", "arn:aws:iam::111122223333:role/x"),
    *("arn:aws:s3:::x", "arn:", ":::::", "d-1234567890", "111122223333", "sandbox-administrator", POLICY),
    *(
        "2026-13-45T99:99:99Z",
        "r-abcd",
        "ou-abcd-12345678",
        "p-12345678",
        "a" * 5000,
        "\r\nX: y",
        "AAAA=",
        "=" * 7,
    ),
)
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    10**30,
    1.5,
    1e308,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": ""},
    {"x": None},
    *TEXTS,
)
PATHS = (
    "/",
    "//",
    "/b",
    "/b/",
    "/b/k",
    "/b/%00",
    "/%",
    "/b/%zz",
    "/b/../../x",
    "/%2e%2e/b",
    "/start",
    "/token",
    "/b/" + "k" * 2000,
    "/\u00fc",
    "/b//k",
    "/B_/k",
    "/client/register",
    "/assignment/accounts",
    "/federation/credentials",
    "/logout",
    "/device_authorization",
)
HEADERS = (
    "content-type",
    "content-md5",
    "range",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "x-amz-acl",
    "x-amz-tagging",
    "x-amz-copy-source",
    "x-amz-metadata-directive",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-storage-class",
    "x-amz-server-side-encryption",
    "x-amz-checksum-crc32",
    "x-amz-checksum-sha256",
    "x-amz-checksum-algorithm",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-website-redirect-location",
    "x-amz-grant-read",
    "x-amz-meta-a_b",
    "content-encoding",
    "expect",
    "x-amz-bypass-governance-retention",
    "x-amz-target",
    "x-amz-sso_bearer_token",
    "x-amz-copy-source-range",
    "x-amz-expected-bucket-owner",
    "x-amz-decoded-content-length",
    "x-amz-trailer",
    "date",
    "origin",
    "access-control-request-method",
)
XML = (
    "<",
    "<a/>",
    "<?xml version='1.0'?>",
    "<a><b></a>",
    "<Tagging><TagSet/></Tagging>",
    "<Tagging><TagSet><Tag><Key/></Tag></TagSet></Tagging>",
    "<Delete/>",
    "<Delete><Object><Key/></Object></Delete>",
    "<LifecycleConfiguration><Rule/></LifecycleConfiguration>",
    "<CORSConfiguration><CORSRule/></CORSConfiguration>",
    "<VersioningConfiguration/>",
    "<CompleteMultipartUpload><Part><PartNumber>x</PartNumber></Part></CompleteMultipartUpload>",
    "<AccessControlPolicy><AccessControlList/></AccessControlPolicy>",
    "<NotificationConfiguration><QueueConfiguration/></NotificationConfiguration>",
    "<ReplicationConfiguration><Rule/></ReplicationConfiguration>",
    "<CreateBucketConfiguration><LocationConstraint>x</LocationConstraint></CreateBucketConfiguration>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    "<a>" * 2000,
    "\u00fc",
    "{}",
    "x",
)


class Fuzz:
    """Makes requests from a seed, signed with a key for the service that each is for."""

    def __init__(self, seed: int, key: tuple[str, str], host: str = HOST) -> None:
        self._random = random.Random(seed)
        self._key, self._host = key, host

    def requests(self, count: int) -> Iterator[tuple[str, Request]]:
        """Yield descriptions and requests."""
        makers: list[Callable[[], tuple[str, Request]]] = [
            self._json,
            self._json,
            self._query,
            self._query,
            self._s3,
            self._s3,
            self._s3,
            self._rest,
            self._noise,
        ]
        for _ in range(count):
            yield self._random.choice(makers)()

    def odd_requests(
        self,
        good: list[tuple[tuple[str, str], dict[str, Any]]],
        count: int,
        headers_of: Callable[[str], dict[str, str]] = lambda _service: {},
    ) -> Iterator[tuple[str, Request]]:
        """Yield requests with what each is, each a good one in which one to three values are odd."""
        for _ in range(count):
            (service, name), value = self._random.choice(good)
            odd = copy.deepcopy(value)
            for _ in range(self._random.choice((1, 1, 2, 3))):
                self._spoil(odd, service_model(service).operation_model(name).input_shape)
            if service in TARGETS:
                signing_name, prefix = TARGETS[service]
                headers = {"x-amz-target": f"{prefix}.{name}", "content-type": "application/x-amz-json-1.1"}
                request = self.signed("POST", "/", "", headers, json.dumps(odd).encode(), signing_name)
            else:
                request = self._placed(service, name, odd, headers_of(service))
            yield f"{service}:{name} {odd!r}", request

    def _placed(self, service: str, name: str, values: dict[str, Any], headers: dict[str, str]) -> Request:
        """Return a request of a REST service with its values in path, query, headers and body."""
        model = service_model(service).operation_model(name)
        path, _, query = model.http["requestUri"].partition("?")
        headers, body = {"host": self._host, "content-type": "application/json", **headers}, {}
        for member, value in values.items():
            serialization = model.input_shape.members[member].serialization
            key, text = (
                serialization.get("name", member),
                value if isinstance(value, str) else json.dumps(value),
            )
            match serialization.get("location"):
                case "uri":
                    path = path.replace(f"{{{key}}}", quote(text, safe="", errors="replace"))
                case "querystring":
                    listed = value if isinstance(value, list) else [text]
                    query += "".join(f"&{key}={quote(str(one), safe='', errors='replace')}" for one in listed)
                case "header":
                    headers[key.lower()] = text.encode(errors="replace").decode("latin-1").strip()
                case _ if model.input_shape.serialization.get("payload") == member:
                    body = value
                case _:
                    body = {**body, key: value}
        data = json.dumps(body).encode()
        method, query = model.http["method"], query.lstrip("&")
        if model.auth_type == "none" or "authorization" in headers:
            return Request(method, path, query, headers, data)
        return self.signed(method, path, query, headers, data, REST[service])

    def _fitting(self, shape: Shape) -> Any:
        """Return a value that its model takes, if one is found soon."""
        for _ in range(20):
            value = self._value(shape)
            if value is not None and not violations(shape, value, ""):
                break
        return value

    def _spoil(self, value: Any, shape: Shape | None) -> None:
        """Put something odd where a value is, or may be."""
        if shape is None or shape.type_name != "structure" or not shape.members:
            return
        name = self._random.choice(list(shape.members))
        inner = value.get(name)
        if isinstance(inner, dict) and self._random.random() < 0.7:
            self._spoil(inner, shape.members[name])
        elif isinstance(inner, list) and inner and self._random.random() < 0.7:
            if isinstance(inner[0], dict) and shape.members[name].type_name == "list":
                self._spoil(inner[0], shape.members[name].member)
            else:
                inner[0] = copy.deepcopy(self._random.choice(VALUES))
        else:
            value[name] = copy.deepcopy(self._fitting(shape.members[name]))

    def _json(self) -> tuple[str, Request]:
        service = self._random.choice(list(TARGETS))
        signing_name, prefix = TARGETS[service]
        model = service_model(service)
        name = self._random.choice(model.operation_names)
        shape = model.operation_model(name).input_shape
        body = self._body(self._value(shape) if shape else {})
        headers = {"x-amz-target": f"{prefix}.{name}", "content-type": "application/x-amz-json-1.1"}
        return f"{service}:{name}", self.signed("POST", "/", "", headers, body, signing_name)

    def _body(self, value: Any) -> bytes:
        text = json.dumps(value)
        match self._random.randrange(12):
            case 0:
                return b""
            case 1:
                return text[: len(text) // 2].encode()
            case 2:
                return b"[" * 20_000
            case 3:
                return json.dumps(self._random.choice(VALUES)).encode()
            case 4:
                return b"\xff\xfe" + text.encode()
            case 5:
                return json.dumps(value, ensure_ascii=False).encode("utf-16")
        return text.encode()

    def _value(self, shape: Shape, depth: int = 0) -> Any:
        if self._random.random() < 0.12 or depth > 5:
            return self._random.choice(VALUES)
        match shape.type_name:
            case "structure":
                required = getattr(shape, "required_members", [])
                names = [  # in the model's order: a set's would make other requests from the same seed
                    name
                    for name in shape.members
                    if self._random.random() < (0.9 if name in required else 0.27)
                ]
                return {name: self._value(shape.members[name], depth + 1) for name in names}
            case "list":
                return [self._value(shape.member, depth + 1) for _ in range(self._random.randrange(3))]
            case "map":
                return {self._random.choice(TEXTS): self._value(shape.value, depth + 1)}
            case "integer" | "long" | "double" | "float" | "timestamp":
                return self._random.choice((0, 1, 5, 100, -1, 2**40))
            case "boolean":
                return self._random.random() < 0.5
        return self._random.choice([*(shape.metadata.get("enum") or []), *TEXTS])

    def _query(self) -> tuple[str, Request]:
        service = self._random.choice(list(VERSIONS))
        model = service_model(service)
        name = self._random.choice(model.operation_names)
        shape = model.operation_model(name).input_shape
        parameters = {"Action": name, "Version": VERSIONS[service]}
        if shape is not None and self._random.random() < 0.85:
            self._flatten(self._value(shape), "", parameters)
        body = urlencode(parameters, errors="replace").encode()
        if self._random.random() < 0.05:
            body += self._random.choice((b"&\xff=\xff", b"&%zz=%", b"&=&&", b";;"))
        return f"{service}:{name}", self.signed("POST", "/", "", {"content-type": FORM}, body, service)

    def _flatten(self, value: Any, path: str, parameters: dict[str, str]) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                self._flatten(item, f"{path}.{name}".lstrip("."), parameters)
        elif isinstance(value, list):
            for index, item in enumerate(value, start=self._random.choice((1, 1, 1, 0, 7))):
                self._flatten(item, f"{path}.member.{index}", parameters)
        elif path:
            parameters[path] = str(value).lower() if isinstance(value, bool) else str(value)

    def _s3(self) -> tuple[str, Request]:
        model = service_model("s3")
        name = self._random.choice(model.operation_names)
        http = model.operation_model(name).http
        bucket = self._random.choice(("fuzz", "fuzz", "fuzz", "none", "B", "x" * 70, "\u00fc"))
        key = self._random.choice(("key", "key", "other", "a/b", "\u00fc", "%", " "))
        path, _, query = http["requestUri"].partition("?")
        path = path.replace("{Bucket}", quote(bucket)).replace("{Key+}", quote(key))
        shape = model.operation_model(name).input_shape
        for member in shape.members.values() if shape else ():
            if member.serialization.get("location") == "querystring" and self._random.random() < 0.4:
                query += (
                    f"&{member.serialization['name']}={quote(self._random.choice(TEXTS), errors='replace')}"
                )
        headers = self._headers()
        body = self._random.choice((b"", b"data", *(text.encode() for text in XML)))
        if self._random.random() < 0.2:
            path = self._random.choice(PATHS)
        return f"s3:{name}", self.signed(http["method"], path, query.lstrip("&"), headers, body, "s3")

    def _headers(self) -> dict[str, str]:
        names = self._random.sample(HEADERS, self._random.choice((0, 0, 1, 2, 4)))
        texts = [text.encode().decode("latin-1") for text in TEXTS if "\r" not in text and "\x00" not in text]
        return {name: self._random.choice(texts)[:4000].strip() for name in names}

    def _rest(self) -> tuple[str, Request]:
        service = self._random.choice(list(REST))
        model = service_model(service)
        name = self._random.choice(model.operation_names)
        operation = model.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        value = self._value(operation.input_shape)
        given = value if isinstance(value, dict) else {}
        for label in re.findall(r"\{(\w+)\}", path):
            text = str(given.get(label, self._random.choice(TEXTS)))
            path = path.replace(f"{{{label}}}", quote(text, safe="", errors="replace"))
        query += "".join(f"&{name}={quote(str(item), errors='replace')}" for name, item in given.items())
        odd = self._random.choice(TEXTS).encode().decode("latin-1").strip()[:200]
        headers = {"x-amz-sso_bearer_token": odd, "dpop": odd}
        if service == "account-access-runtime":
            headers["authorization"] = f"Bearer {odd}"
        request = Request(
            operation.http["method"],
            path,
            query.lstrip("&"),
            {"host": self._host, **headers},
            self._body(value),
        )
        if self._random.random() < 0.5 or "aws_iam" in query:
            request = self.signed(request.method, path, request.query, headers, request.body, REST[service])
        return f"{service}:{name}", request

    def _noise(self) -> tuple[str, Request]:
        """Return a request of which the signature itself, the method or the path is odd."""
        method = self._random.choice(("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "X"))
        path = self._random.choice(PATHS).encode().decode("latin-1")
        service = self._random.choice(
            ("s3", "sts", "iam", "sso", "organizations", "ec2", "signin", "", "\u00e9")
        )
        query = self._random.choice(
            (
                "",
                "Action=ListUsers&Version=2010-05-08",
                "Action",
                "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=\u0661",
                "AWSAccessKeyId=x&Signature=\u00e9&Expires=\u0661",
                "uploads",
                "%",
                "a=%ff%fe",
            )
        )
        request = self.signed(method, path, query, self._headers(), b"x", service)
        authorization = request.headers["authorization"]
        if self._random.random() < 0.5:
            at = self._random.randrange(len(authorization))
            odd = self._random.choice(("\u00e9", "\xff", "", "=", ",", "/", " ", "\u00a0", "Credential="))
            authorization = authorization[:at] + odd + authorization[at + self._random.randrange(2) :]
        headers = {**request.headers, "authorization": authorization}
        if self._random.random() < 0.3:
            headers.pop(self._random.choice(list(headers)))
        return "noise", Request(method, path, request.query, headers, request.body)

    def signed(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes, service: str
    ) -> Request:
        """Return a request with a correct signature."""
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        payload_hash = hashlib.sha256(body).hexdigest()
        headers = {
            **headers,
            "host": self._host,
            "x-amz-date": timestamp,
            "x-amz-content-sha256": payload_hash,
        }
        names = sorted(name for name in headers if name.startswith("x-amz-") or name == "host")
        claim = Claim(self._key[0], timestamp[:8], "us-east-1", service, names, "", timestamp, None)
        request = Request(method, path, query, headers, body)
        signature = signature_v4(claim, request, payload_hash, self._key[1])
        credential = f"{ALGORITHM} Credential={self._key[0]}/{claim.scope}"
        text = f"{credential}, SignedHeaders={';'.join(names)}, Signature={signature}"
        return Request(method, path, query, {**headers, "authorization": text}, body)
