"""A refusal reaches every client as its own kind of error, with the code that its protocol has for it."""

from __future__ import annotations

import json

import pytest
from botocore.parsers import create_parser
from botocore.session import Session

from idc_sandbox.errors import Request, Response, ServiceError
from idc_sandbox.wire.protocols import operation_name, service_error_response, with_request_id

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
REQUESTS = {
    "sso-admin": Request("POST", "/", "", {"x-amz-target": "SWBExternalService.ListInstances"}, b"{}"),
    "organizations": Request("POST", "/", "", {"x-amz-target": "AWSOrganizationsV20161128.ListRoots"}, b"{}"),
    "sts": Request("POST", "/", "", FORM, b"Action=GetCallerIdentity&Version=2011-06-15"),
    "iam": Request("POST", "/", "", FORM, b"Action=ListUsers&Version=2010-05-08"),
    "s3": Request("GET", "/bucket/key", "", {"authorization": ""}, b""),
}
SESSION = Session()


def parsed(service_name: str, response: Response) -> dict:
    """Return what boto3 makes of an answer."""
    model = SESSION.get_service_model(service_name)
    protocol = model.metadata["protocol"]
    answer = {"status_code": response.status, "headers": {k.lower(): v for k, v in response.headers.items()}}
    return create_parser(protocol).parse({**answer, "body": response.body}, None)


@pytest.mark.parametrize("service_name", REQUESTS)
def test_every_client_reads_code_message_and_request_id(service_name):
    error = ServiceError("SomethingException", "a <b> & 'c' \x01 ü")
    response = service_error_response(error, REQUESTS[service_name])
    answer = parsed(service_name, response)
    assert answer["Error"]["Code"] == "SomethingException"
    assert answer["Error"]["Message"].replace(" \x01", " ").split() == ["a", "<b>", "&", "'c'", "ü"]
    assert answer["ResponseMetadata"]["RequestId"] == response.headers["x-amzn-RequestId"]
    assert response.status == 400


@pytest.mark.parametrize(
    ("code", "service_name", "expected"),
    [
        ("UnrecognizedClientException", "sso-admin", ("UnrecognizedClientException", 400)),
        ("InvalidClientTokenId", "sso-admin", ("UnrecognizedClientException", 400)),
        ("UnrecognizedClientException", "sts", ("InvalidClientTokenId", 403)),
        ("UnrecognizedClientException", "s3", ("InvalidAccessKeyId", 403)),
        ("InvalidSignatureException", "iam", ("SignatureDoesNotMatch", 403)),
        ("SignatureDoesNotMatch", "organizations", ("InvalidSignatureException", 400)),
        ("ExpiredTokenException", "s3", ("ExpiredToken", 400)),
        ("MissingAuthenticationTokenException", "s3", ("AccessDenied", 403)),
        ("AccessDeniedException", "sts", ("AccessDenied", 403)),
        ("AccessDeniedException", "sso-admin", ("AccessDeniedException", 400)),
        ("InternalServerException", "s3", ("InternalError", 500)),
        ("InternalServerException", "sso-admin", ("InternalServerException", 500)),
        ("ThrottlingException", "s3", ("ThrottlingException", 400)),
    ],
)
def test_one_trouble_has_each_protocols_own_code_and_status(code, service_name, expected):
    response = service_error_response(ServiceError(code, "no"), REQUESTS[service_name])
    assert (parsed(service_name, response)["Error"]["Code"], response.status) == expected


def test_modelled_members_of_an_error_are_sent_and_unset_ones_are_not():
    error = ServiceError("ResourceNotFoundException", "gone", ResourceType="USER", Reason=None)
    body = json.loads(service_error_response(error, REQUESTS["sso-admin"]).body)
    assert body == {"__type": "ResourceNotFoundException", "Message": "gone", "ResourceType": "USER"}


def test_the_json_error_type_is_a_header_too():
    response = service_error_response(ServiceError("ConflictException", "twice"), REQUESTS["sso-admin"])
    assert response.headers["x-amzn-ErrorType"] == "ConflictException"


def test_head_gets_no_body():
    response = service_error_response(
        ServiceError("NoSuchKey", "gone", status=404), Request("HEAD", "/b/k", "", {}, b"")
    )
    assert (response.status, response.body) == (404, b"")


def test_a_service_that_the_sandbox_does_not_have_is_told_in_json():
    scope = "AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/lambda/aws4_request, SignedHeaders=host"
    request = Request("GET", "/2015-03-31/functions/", "", {"authorization": scope}, b"")
    response = service_error_response(ServiceError("UnknownOperationException", "no"), request)
    assert json.loads(response.body)["__type"] == "UnknownOperationException"


def test_a_presigned_query_tells_its_service():
    request = Request(
        "GET", "/", "X-Amz-Credential=AKIA%2F20261123%2Fus-east-1%2Fsts%2Faws4_request", {}, b""
    )
    assert b"<ErrorResponse>" in service_error_response(ServiceError("ExpiredToken", "old"), request).body


def test_a_request_id_is_added_once():
    given = with_request_id(Response(200, {"X-Amzn-RequestId": "mine"}, b""))
    assert given.headers == {"X-Amzn-RequestId": "mine"}
    assert len(with_request_id(Response(200, {}, b"")).headers["x-amzn-RequestId"]) == 36


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "expected"),
    [
        ("GET", "/", "", {}, "ListBuckets"),
        ("PUT", "/b", "", {}, "CreateBucket"),
        ("PUT", "/b/", "", {}, "CreateBucket"),
        ("GET", "/b", "list-type=2&prefix=a", {}, "ListObjectsV2"),
        ("GET", "/b", "versioning", {}, "GetBucketVersioning"),
        ("PUT", "/b/a/key", "", {}, "PutObject"),
        ("PUT", "/b/k", "", {"x-amz-copy-source": "a/b"}, "CopyObject"),
        ("PUT", "/b/k", "partNumber=1&uploadId=x", {}, "UploadPart"),
        ("POST", "/b/k", "uploads", {}, "CreateMultipartUpload"),
        ("POST", "/b/k", "uploadId=x", {}, "CompleteMultipartUpload"),
        ("POST", "/b", "delete", {}, "DeleteObjects"),
        ("HEAD", "/b/k", "", {}, "HeadObject"),
        ("PATCH", "/b/k", "", {}, ""),
    ],
)
def test_s3_operations_are_known_by_their_shape(method, path, query, headers, expected):
    assert operation_name(Request(method, path, query, headers, b""), "s3") == expected


def test_other_services_name_their_operation():
    named = {
        service: operation_name(request, service) for service, request in REQUESTS.items() if service != "s3"
    }
    assert named == {
        "sso-admin": "ListInstances",
        "organizations": "ListRoots",
        "sts": "GetCallerIdentity",
        "iam": "ListUsers",
    }
    assert (
        operation_name(Request("GET", "/", "Action=GetCallerIdentity", {}, b""), "sts") == "GetCallerIdentity"
    )
