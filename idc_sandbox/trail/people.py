"""What people do leaves events: signing in, using the portal, getting credentials, being at the console."""

# Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/understanding-sign-in-events.html,
# https://docs.aws.amazon.com/singlesignon/latest/userguide/username-sign-in-cloudtrail-events.html

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from idc_sandbox.api.instance_rules import identity_store_arn
from idc_sandbox.context import Context
from idc_sandbox.trail.records import (
    HIDDEN,
    LASTING,
    Record,
    nobody,
    origin_members,
    person_identity,
    timestamp,
)
from idc_sandbox.wire.protocols import new_uuid


def record_event(context: Context, name: str, source: str, identity: Record, **members: Any) -> None:
    """Add the event of a sign-in or of a page; `members` are the record's, in place of what all have."""
    record: Record = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": timestamp(context.now),
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": context.region,
        **origin_members(context.origin),
        "requestParameters": None,
        "responseElements": None,
        "requestID": new_uuid(),
        "readOnly": False,
        "eventType": "AwsServiceEvent",
        "recipientAccountId": identity.get("accountId", ""),
        **LASTING,
    }
    context.record(record | members)


def identity_of_person(context: Context, user_id: str, credential_id: str = "") -> Record:
    """Return the identity of a user who has signed in."""
    (instance,) = context.rows(
        "SELECT instance.* FROM instance JOIN identity_user USING (identity_store_id) WHERE user_id = ?",
        user_id,
    )
    account_id = instance["owner_account_id"]
    return person_identity(account_id, user_id, identity_store_arn(instance), credential_id)


def credential_id_of(token_hash: str) -> str:
    """Return the id of an access token in portal events, which opens nothing."""
    made = hashlib.sha512(f"credential {token_hash}".encode()).digest()
    return "AAAAA" + base64.urlsafe_b64encode(made).decode().rstrip("=")


# The sign-in: which credential is asked for, whether it was right, and that somebody is signed in.


def record_challenge(
    context: Context, workflow_id: str, credential_type: str, *, user_name: str | None, is_first: bool
) -> None:
    """Add that a credential is asked for; the first one names who typed what, if that is somebody."""
    named = {"UserName": user_name or HIDDEN} if is_first else {}
    said = {"AuthWorkflowID": workflow_id, "CredentialType": credential_type, **named}
    _record_step(context, "CredentialChallenge", nobody_here(context), said)


def record_verification(
    context: Context, workflow_id: str, credential_type: str, user_id: str | None, *, is_right: bool
) -> None:
    """Add that a credential was right, and whose it is; or that it was wrong."""
    is_known = is_right and user_id is not None
    identity = identity_of_person(context, str(user_id)) if is_known else nobody_here(context)
    outcome = "Success" if is_right else "Failure"
    said = {"AuthWorkflowID": workflow_id, "CredentialType": credential_type}
    _record_step(context, "CredentialVerification", identity, said, outcome=outcome)


def record_authentication(
    context: Context, workflow_id: str, credential_types: str, user_id: str, more: Mapping[str, str]
) -> None:
    """Add that a person is signed in."""
    identity = identity_of_person(context, user_id)
    said = {"AuthWorkflowID": workflow_id, "CredentialType": credential_types, **more}
    _record_step(context, "UserAuthentication", identity, said)


def nobody_here(context: Context) -> Record:
    """Return the identity of a visitor who has not proved anything."""
    return nobody(context.double.management_account_id)


def _record_step(
    context: Context, name: str, identity: Record, said: Mapping[str, str], *, outcome: str = "Success"
) -> None:
    details = {name: outcome}
    record_event(
        context, name, "signin", identity, additionalEventData=dict(said), serviceEventDetails=details
    )


# The portal, and the roles that it leads to.


def record_at_portal(
    context: Context, name: str, user_id: str, details: Record | None = None, **members: Any
) -> None:
    """Add what a person did at the access portal's pages."""
    said = {} if details is None else {"serviceEventDetails": details}
    identity = identity_of_person(context, user_id)
    record_event(context, name, "sso", identity, **{"readOnly": True, **said, **members})


def record_assumed_role(
    context: Context,
    access_key_id: str,
    *,
    user_name: str,
    duration_s: int,
    saml_provider_arn: str,
    tags: Mapping[str, str],
) -> str:
    """Add that Identity Center got keys of a role, and return when it did, as records have it."""
    # AWS's event has another access key id than the one that is used later.
    issued = context.double.secret_of(access_key_id)
    known = context.double.access_policies(issued.caller).context if issued else {}
    moment = f"{known.get('aws:tokenissuetime', '')}".removesuffix("+00:00") + "Z"
    role_arn, account_id = f"{known.get('aws:principalarn', '')}", saml_provider_arn.split(":")[4]
    qualifier = base64.b64encode(hashlib.sha256(saml_provider_arn.encode()).digest()[:20]).decode()
    other = base64.b32encode(hashlib.sha256(access_key_id.encode()).digest()).decode()[:16]
    named = {"roleSessionName": user_name, "roleArn": role_arn, "principalArn": saml_provider_arn}
    parameters: Record = {
        "sAMLAssertionID": f"_{new_uuid()}",
        **named,
        "durationSeconds": duration_s,
    }
    if tags:
        parameters["principalTags"] = dict(tags)
    record_event(
        context,
        "AssumeRoleWithSAML",
        "sts",
        {
            "type": "SAMLUser",
            "principalId": f"{qualifier}:{user_name}",
            "userName": user_name,
            "identityProvider": qualifier,
        },
        eventTime=moment,
        readOnly=True,
        eventType="AwsApiCall",
        sourceIPAddress="sso.amazonaws.com",
        userAgent="aws-sdk-java",
        requestParameters=parameters,
        responseElements={
            "subjectType": "persistent",
            "subject": user_name,
            "audience": "https://signin.aws.amazon.com/saml",
            "nameQualifier": qualifier,
            "credentials": {"accessKeyId": f"ASIA{other}", "sessionToken": HIDDEN},
            "assumedRoleUser": {
                "assumedRoleId": known.get("aws:userid", ""),
                "arn": issued.caller.principal_arn if issued else "",
            },
        },
        resources=[
            {"accountId": account_id, "type": "AWS::IAM::Role", "ARN": role_arn},
            {"accountId": account_id, "type": "AWS::IAM::SAMLProvider", "ARN": saml_provider_arn},
        ],
        recipientAccountId=account_id,
    )
    return moment


def record_console_login(context: Context, access_key_id: str) -> None:
    """Add that somebody came to the console of an account with a role."""
    issued = context.double.secret_of(access_key_id)
    if issued is None:
        return
    identity = context.identity_of(issued.caller)
    record_event(
        context,
        "ConsoleLogin",
        "signin",
        identity,
        eventType="AwsConsoleSignIn",
        responseElements={"ConsoleLogin": "Success"},
        additionalEventData={"MobileVersion": "No", "MFAUsed": "No"},
    )


def from_console(context: Context) -> Record:
    """Return what the events of a person's role at the console say besides."""
    is_role = ":assumed-role/" in context.caller.principal_arn
    return {"sessionCredentialFromConsole": "true"} if is_role else {}
