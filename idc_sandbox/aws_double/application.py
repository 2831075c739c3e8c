"""An HTTP request to one of moto's services, and its answer.

Only sts, iam, organizations and s3 are reachable: moto has applications for two hundred services and one for
itself (``/moto-api``), and none of those is ever built here.
"""

from __future__ import annotations

import functools
import io
import sqlite3
from typing import Any
from urllib.parse import unquote_to_bytes

from botocore.model import OperationNotFoundError

from idc_sandbox.aws_double.moto_requests import refusal_for
from idc_sandbox.context import Signature
from idc_sandbox.errors import SandboxStartError, ServiceError
from idc_sandbox.messages import Request, Response

_HEADERS_NOT_PASSED_ON = {
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "authorization",
}
_METADATA = "x-amz-meta-"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def call_moto(request: Request, signature: Signature) -> Response:
    """Send a request to the moto service that its signature names.

    Raises
    ------
    ServiceError
        Those of the permission check, and ``NotImplemented`` for what moto does not have.
    """
    application = _application(signature.service_name)
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        answer.update(status=int(status[:3]), headers=headers)

    try:
        chunks = application(_environ(request, signature), start_response)
        body = b"".join(chunks)
    except (NotImplementedError, ImportError, OperationNotFoundError) as error:
        raise ServiceError(
            "UnknownOperationException",
            f"The sandbox's {signature.service_name} does not have this operation: {error}. "
            "It is moto's; docs/sandbox.md says where to look what moto has.",
        ) from error
    except (ServiceError, sqlite3.Error, SandboxStartError):
        raise
    except Exception as error:
        raise refusal_for(error, request, signature.service_name) from error
    return Response(answer["status"], dict(answer["headers"]), body)


def prepare_applications() -> None:
    """Make what the first request to each of moto's services would wait for."""
    for service_name in ("sts", "iam", "organizations", "s3"):
        _application(service_name)


@functools.cache
def _application(service_name: Any) -> Any:
    from moto.moto_server import werkzeug_app  # noqa: PLC0415  Flask is not needed before the first request

    werkzeug_app.DISABLE_GLOBAL_CORS = True  # no page of another origin may read answers
    return werkzeug_app.create_backend_app(service_name)


def _environ(request: Request, signature: Signature) -> dict[str, Any]:
    """Return a request as WSGI has it."""
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "RAW_URI": request.path + (f"?{request.query}" if request.query else ""),
        "QUERY_STRING": request.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": _content_type(request, signature.service_name),
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **_header_variables(request.headers),
        "HTTP_AUTHORIZATION": _authorization(signature),
    }


def _content_type(request: Request, service_name: str) -> str:
    """Return the type of the body; S3 has no forms here, and moto would take their fields for the query's."""
    content_type = request.headers.get("content-type", "")
    is_form = content_type.partition(";")[0].strip().lower() in _FORMS
    return "" if service_name == "s3" and is_form and request.method != "PUT" else content_type


def _header_variables(headers: dict[str, str]) -> dict[str, Any]:
    """Return headers as WSGI has them; moto wants to know which had an underscore, which WSGI cannot tell.

    Such a header is passed on with an object's metadata only: elsewhere it would pass for one with a hyphen,
    which is signed and looked at before.
    """
    passed_on = {
        name: value
        for name, value in headers.items()
        if name not in _HEADERS_NOT_PASSED_ON and ("_" not in name or name.startswith(_METADATA))
    }
    variables = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in passed_on}
    with_underscore = {variables[name]: name for name in passed_on if "_" in name}
    return {
        **{variables[name]: value for name, value in passed_on.items()},
        "moto.preserved_header_names": with_underscore,
    }


def _authorization(signature: Signature) -> str:
    """Return a header of what the sandbox has found: a signed URL has none, and moto looks only there."""
    scope = (
        f"{signature.caller.access_key_id}/20200101/{signature.region}/{signature.service_name}/aws4_request"
    )
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=checked"
