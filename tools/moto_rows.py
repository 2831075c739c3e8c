"""The questions of `docs/moto.md`: each a function that asks one side and says what it saw."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
_PATIENCE_S = 60


def _set(side: Any, name: str, **more: Any) -> dict[str, str]:
    sso, arn = side.client("sso-admin"), {"InstanceArn": side.instance["InstanceArn"]}
    made = sso.create_permission_set(**arn, Name=name, **more)["PermissionSet"]
    return {**arn, "PermissionSetArn": made["PermissionSetArn"]}


def _user(side: Any, name: str, **more: Any) -> str:
    names = {"GivenName": "A", "FamilyName": "B"}
    store = {"IdentityStoreId": side.instance["IdentityStoreId"]}
    values = {"UserName": name, "DisplayName": name, "Name": names, **more}
    return str(side.client("identitystore").create_user(**store, **values)["UserId"])


def _account(side: Any) -> str:
    organizations = side.client("organizations")
    with suppress(ClientError):  # the sandbox has one
        organizations.create_organization(FeatureSet="ALL")
    accounts = organizations.list_accounts()["Accounts"]
    if len(accounts) == 1:
        organizations.create_account(Email="member@example.com", AccountName="Member")
        accounts = organizations.list_accounts()["Accounts"]
    management = organizations.describe_organization()["Organization"]["MasterAccountId"]
    return next(str(account["Id"]) for account in accounts if account["Id"] != management)


def _assigned(side: Any, name: str) -> tuple[dict[str, str], dict[str, Any]]:
    wanted = _set(side, name)
    side.client("sso-admin").attach_managed_policy_to_permission_set(**wanted, ManagedPolicyArn=ADMIN)
    target = {"TargetId": _account(side), "TargetType": "AWS_ACCOUNT"}
    principal = {"PrincipalType": "USER", "PrincipalId": _user(side, name.lower())}
    answer = side.client("sso-admin").create_account_assignment(**wanted, **target, **principal)
    return {**wanted, "TargetId": target["TargetId"]}, answer["AccountAssignmentCreationStatus"]


def _wrong_secret(side: Any) -> str:
    side.client("sso-admin", keys=(side.keys[0], "another-secret")).list_instances()
    return "answered"


def _no_permission(side: Any) -> str:
    iam = side.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    side.client("sso-admin", keys=(key["AccessKeyId"], key["SecretAccessKey"])).list_instances()
    return "answered"


def _long_name(side: Any) -> str:
    _set(side, "x" * 33)
    return "made"


def _same_name(side: Any) -> str:
    _set(side, "Twice")
    _set(side, "Twice")
    return "made twice"


def _bad_policy(side: Any) -> str:
    wanted = _set(side, "BadPolicy")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps", "Action": "*"}]})
    side.client("sso-admin").put_inline_policy_to_permission_set(**wanted, InlinePolicy=policy)
    return "taken"


def _no_such_policy(side: Any) -> str:
    wanted = _set(side, "NoPolicy")
    side.client("sso-admin").attach_managed_policy_to_permission_set(
        **wanted, ManagedPolicyArn="arn:aws:iam::aws:policy/NoSuchPolicyAtAll"
    )
    return "attached"


def _states(side: Any) -> str:
    wanted, status = _assigned(side, "States")
    seen, deadline = [status["Status"]], time.monotonic() + _PATIENCE_S
    while seen[-1] == "IN_PROGRESS" and time.monotonic() < deadline:
        time.sleep(0.2)
        now = side.client("sso-admin").describe_account_assignment_creation_status(
            InstanceArn=wanted["InstanceArn"], AccountAssignmentCreationRequestId=status["RequestId"]
        )
        seen.append(now["AccountAssignmentCreationStatus"]["Status"])
    return " → ".join(f"`{one}`" for one in dict.fromkeys(seen))


def _role_in_account(side: Any) -> str:
    wanted, _ = _assigned(side, "InAccount")
    role = f"arn:aws:iam::{wanted['TargetId']}:role/OrganizationAccountAccessRole"
    time.sleep(0.5)
    side.client("sso-admin").list_instances()
    keys = side.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    named = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    roles = side.client("iam", keys=named).list_roles()["Roles"]
    return "there" if any("AWSReservedSSO_InAccount" in one["RoleName"] for one in roles) else "not there"


def _in_use(side: Any) -> str:
    wanted, _ = _assigned(side, "InUse")
    del wanted["TargetId"]
    time.sleep(0.5)
    side.client("sso-admin").delete_permission_set(**wanted)
    return "deleted"


def _other_region(side: Any) -> str:
    found = side.client("sso-admin", region="eu-west-1").list_instances()["Instances"]
    is_same = any(one["InstanceArn"] == side.instance["InstanceArn"] for one in found)
    return "the same instance" if is_same else f"{len(found) or 'no'} other instance{'s' * (len(found) != 1)}"


def _made_up_token(side: Any) -> str:
    store = side.instance["IdentityStoreId"]
    side.client("identitystore").list_users(IdentityStoreId=store, NextToken="made-up")
    return "a page"


def _same_user(side: Any) -> str:
    _user(side, "same")
    _user(side, "same")
    return "made twice"


def _same_address(side: Any) -> str:
    emails = {"Emails": [{"Value": "one@example.com", "Type": "work", "Primary": True}]}
    _user(side, "address.one", **emails)
    _user(side, "address.two", **emails)
    return "both made"


def _device_code(side: Any) -> str:
    oidc = side.client("sso-oidc")
    named = oidc.register_client(clientName="tests", clientType="public", scopes=["sso:account:access"])
    client = {name: named[name] for name in ("clientId", "clientSecret")}
    started = oidc.start_device_authorization(
        **client, startUrl=f"https://{side.instance['IdentityStoreId']}.awsapps.com/start"
    )
    oidc.create_token(**client, grantType=DEVICE_CODE, deviceCode=started["deviceCode"])
    return "a token, which nobody allowed"


def _page(side: Any) -> str:
    status = side.get("/start")
    return "a page to sign in" if status == 200 else f"HTTP {status}"


def _durable(side: Any) -> str:
    store = {"IdentityStoreId": side.instance["IdentityStoreId"]}
    side.client("identitystore").create_group(**store, DisplayName="Kept")
    side.restart()
    side.__dict__.pop("instance", None)
    store = {"IdentityStoreId": side.instance["IdentityStoreId"]}
    groups = side.client("identitystore").list_groups(**store)["Groups"]
    return "there" if any(group["DisplayName"] == "Kept" for group in groups) else "gone"


def _same_ids(side: Any) -> str:
    def make() -> str:
        side.__dict__.pop("instance", None)
        return str(_set(side, "Again")["PermissionSetArn"])

    first, second = side.go_back(make)
    return "the same ids" if first == second else "other ids"


def _trail(side: Any) -> str:
    _set(side, "Recorded")
    found = side.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreatePermissionSet"}]
    )["Events"]
    return "found" if found else "not found"


def _sql(side: Any) -> str:
    side.client("s3").create_bucket(Bucket="results")
    athena = side.client("athena")
    wanted = {"ResultConfiguration": {"OutputLocation": "s3://results/"}}
    query = {
        "QueryExecutionId": athena.start_query_execution(QueryString="SELECT 6 * 7", **wanted)[
            "QueryExecutionId"
        ]
    }
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        state = athena.get_query_execution(**query)["QueryExecution"]["Status"]["State"]
        if state not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.2)
    rows = athena.get_query_results(**query)["ResultSet"]["Rows"]
    return f"`{rows[-1]['Data'][0]['VarCharValue']}`" if rows else f"`{state}`, without a row"


def _other_service(side: Any) -> str:
    side.client("dynamodb").list_tables()
    return "answered"


ROWS: list[tuple[str, Callable[[Any], str]]] = [
    ("A request that is signed with a wrong secret key", _wrong_secret),
    ("`ListInstances` by an IAM user without any permission", _no_permission),
    ("A permission set with a name of 33 characters, one more than the model allows", _long_name),
    ("A second permission set with the same name", _same_name),
    ("An inline policy with `Effect: Perhaps`", _bad_policy),
    ("An AWS managed policy that does not exist is attached", _no_such_policy),
    ("The states of an account assignment", _states),
    ("The role `AWSReservedSSO_…` in IAM of the member account, after an assignment", _role_in_account),
    ("A permission set is deleted that is assigned", _in_use),
    ("`ListInstances` in another Region", _other_region),
    ("`ListUsers` with a made-up `NextToken`", _made_up_token),
    ("A second user with the same name", _same_user),
    ("A second user with the same e-mail address", _same_address),
    ("`CreateToken` for a device code that nobody has allowed yet", _device_code),
    ("`GET /start`, the access portal in a browser", _page),
    ("CloudTrail's `LookupEvents`, about a permission set made just before", _trail),
    ("Athena: `SELECT 6 * 7`", _sql),
    ("The same steps after going back to the beginning without a restart", _same_ids),
    ("A group after `kill -9` and a new start", _durable),
    ("A service that has nothing to do with Identity Center: DynamoDB's `ListTables`", _other_service),
]
