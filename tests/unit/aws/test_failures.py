import pytest
from botocore.exceptions import ClientError
from stub_transport import INSTANCE_ARN, Refusal

from idc_aws.changes import Action, Change
from idc_aws.errors import (
    AccessDeniedError,
    CredentialsError,
    InvalidValueError,
    NotFoundError,
    TargetError,
    WriteFailedError,
)
from idc_aws.failures import Failures, failed_read, failed_write, is_refusal

CHANGE = Change(Action.CREATE, "permission_set", "Auditors", None, {}, "")


def test_access_denied_names_principal_and_permission(transport, connection):
    transport.on("ListPermissionSets", Refusal("AccessDeniedException", "not authorized"))
    with pytest.raises(AccessDeniedError) as raised:
        connection.client("sso-admin").list_permission_sets(InstanceArn=INSTANCE_ARN)
    assert connection.caller.principal_arn in raised.value.message
    assert "sso:ListPermissionSets" in raised.value.message
    assert "delegated" not in raised.value.remedy


def test_a_refused_write_says_what_a_delegated_administrator_cannot_do(transport, connection):
    transport.on("ProvisionPermissionSet", Refusal("AccessDeniedException"))
    with pytest.raises(AccessDeniedError, match="delegated administrator"):
        connection.client("sso-admin").provision_permission_set(
            InstanceArn=INSTANCE_ARN,
            PermissionSetArn="arn:aws:sso:::permissionSet/x/y",
            TargetType="AWS_ACCOUNT",
        )


def test_identity_store_permissions_have_their_own_prefix(transport, connection):
    transport.on("ListUsers", Refusal("AccessDeniedException"))
    with pytest.raises(AccessDeniedError, match="identitystore:ListUsers"):
        connection.client("identitystore").list_users(IdentityStoreId="d-1234567890")


def test_pages_are_explained_too(transport, connection):
    transport.on(
        "ListPermissionSets", {"PermissionSets": ["a"], "NextToken": "x"}, Refusal("AccessDeniedException")
    )
    paginator = connection.client("sso-admin").get_paginator("list_permission_sets")
    with pytest.raises(AccessDeniedError):
        list(paginator.paginate(InstanceArn=INSTANCE_ARN))


def test_a_failure_at_aws_says_run_again(transport, connection):
    transport.on("ListPermissionSets", Refusal("InternalServerException", "oops", status=500))
    with pytest.raises(TargetError, match=r"oops(.|\n)*completed work is kept"):
        connection.client("sso-admin").list_permission_sets(InstanceArn=INSTANCE_ARN)


def test_what_is_left_names_the_change_and_the_request(transport, connection):
    transport.on("ListPermissionSets", Refusal("ValidationException", "bad name"))
    with pytest.raises(WriteFailedError) as raised, failed_write(CHANGE):
        connection.client("sso-admin").list_permission_sets(InstanceArn=INSTANCE_ARN)
    assert (
        "create permission set 'Auditors' was refused: ValidationException: bad name (request request-"
        in str(raised.value)
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ResourceNotFoundException", NotFoundError),
        ("ValidationException", InvalidValueError),
        ("SomethingNewException", TargetError),
    ],
)
def test_what_is_left_of_a_read_names_what_was_read(transport, connection, code, kind):
    transport.on("ListPermissionSets", Refusal(code, "no such thing"))
    with pytest.raises(kind, match="the moon could not be read"), failed_read("the moon"):
        connection.client("sso-admin").list_permission_sets(InstanceArn=INSTANCE_ARN)


def test_a_sandbox_that_forgot_its_key_was_reset():
    failures = Failures("sandbox", "us-east-1", endpoint_url="http://127.0.0.1:1")
    error = failures.credentials_error("UnrecognizedClientException")
    assert isinstance(error, CredentialsError)
    assert "reset" in error.remedy
    assert "aws sso login" not in str(error)


@pytest.mark.parametrize(
    ("code", "attempts", "told", "is_one"),
    [
        ("ConflictException", 0, None, True),
        ("ConflictException", 1, None, False),  # with what an attempt made whose answer was lost
        ("InternalServerException", 0, None, False),
        ("AccessDeniedException", 0, AccessDeniedError, True),
        ("AccessDeniedException", 1, AccessDeniedError, False),
        ("ExpiredTokenException", 1, CredentialsError, False),
        ("ThrottlingException", 0, TargetError, False),
    ],
)
def test_what_aws_surely_refused_is_told_from_what_it_may_have_done(code, attempts, told, is_one):
    said = ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"RetryAttempts": attempts}}, "CreateUser"
    )
    error = said if told is None else told("in our words")
    error.__cause__ = said if told else None
    assert is_refusal(error) is is_one


def test_a_misspelt_region_is_said_to_be_one_and_not_taken_for_a_reset():
    message = "Credential should be scoped to a valid Region, not 'us-eas-1'."
    error = ClientError({"Error": {"Code": "SignatureDoesNotMatch", "Message": message}}, "GetCallerIdentity")
    said = Failures("sandbox", "us-eas-1", endpoint_url="http://127.0.0.1:9").explain(error, "sts", "x")
    assert isinstance(said, TargetError)
    assert not isinstance(said, CredentialsError)
    assert (said.message, said.remedy.partition("?")[0]) == (
        "AWS has no Region 'us-eas-1'",
        "Did you mean 'us-east-1'",
    )


@pytest.mark.parametrize(
    ("region", "asks"), [("eu-wst-1", "Did you mean 'eu-west-1'? Check"), ("eu-west-1", "Check")]
)
def test_a_region_that_does_not_answer_on_aws_may_be_misspelt(region, asks):
    assert Failures("aws", region).unreachable(OSError("no such host")).remedy.startswith(asks)
