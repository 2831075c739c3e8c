"""Ways around a policy: a request that reads as something allowed, and does something else. One row for each.

Each row: what ana may do, and the request with which she tries to reach the bucket `secret`, or bob's key.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from test_authorization import allow, deny, document, refusal, user_with

from idc_sandbox.errors import Request

OWN = "arn:aws:s3:::mine"
SECRET = "arn:aws:s3:::secret"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
FILE = (
    b'--X\r\nContent-Disposition: form-data; name="key"\r\n\r\nkey\r\n'
    b'--X\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nEVIL\r\n--X--\r\n'
)
FILE_FORM = {"content-type": "multipart/form-data; boundary=X"}
EVERYTHING = document(allow("*"))


def send(client, keys, service, method, path, body=b"", headers=(), unsigned=()) -> tuple[int, str]:
    """Send a request that botocore would never make, with a correct signature."""
    credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    request = AWSRequest(method, client.endpoint_url + path, data=body, headers=dict(headers))
    (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, "us-east-1").add_auth(request)
    sent = {name.lower(): str(value) for name, value in request.headers.items()}
    url = urlsplit(client.endpoint_url + path)
    sent |= {"host": url.netloc, **dict(unsigned)}
    answer = client.gateway.handle(Request(method, url.path, url.query, sent, body))
    return answer.status, answer.body.decode("utf-8", "replace")


def state_of(client) -> tuple:
    """Return what nobody may change or get: the secret, its bucket's settings, and who may do what in iam."""
    s3, iam = client.client("s3"), client.client("iam")
    own = [item["Key"] for item in s3.list_objects_v2(Bucket="mine").get("Contents", [])]
    contents = [s3.get_object(Bucket="mine", Key=key)["Body"].read() for key in own]
    names = [user["UserName"] for user in iam.list_users()["Users"]]
    keys = [
        (name, key["AccessKeyId"], key["Status"])
        for name in names
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    ]
    return (
        s3.get_object(Bucket="secret", Key="key")["Body"].read(),
        s3.get_bucket_versioning(Bucket="secret").get("Status"),
        s3.get_object_tagging(Bucket="secret", Key="key")["TagSet"],
        [name for name in names if iam.list_user_policies(UserName=name)["PolicyNames"] != ["inline"]],
        keys,
        b"".join(contents).count(b"TOP"),
    )


def call(action: str, **parameters: str) -> tuple[str, str, str, bytes, dict[str, str]]:
    body = urlencode({"Action": action, "Version": "2010-05-08", **parameters})
    return ("iam", "POST", "/", body.encode(), FORM)


def put(path: str, **headers: str) -> tuple[str, str, str, bytes, dict[str, str]]:
    return ("s3", "PUT", path, b"", {name.replace("__", "-"): value for name, value in headers.items()})


TEAMS_ROLES = allow("iam:*", resource="arn:aws:iam::111122223333:role/team-*")
OWN_USER = allow("iam:*", resource="arn:aws:iam::111122223333:user/${aws:username}")
OWN_BUCKET = allow("s3:*", resource=[OWN, f"{OWN}/*"])
TEAMS_BUCKETS = allow("s3:GetObject", resource="arn:aws:s3:::team-*")
DELETE_MANY = b"<Delete><Object><Key>key</Key></Object></Delete>"
DELETE_PREFIXED = b'<x:Delete xmlns:x="u"><x:Object><x:Key>key</x:Key></x:Object></x:Delete>'
ALL_BUT_KEY = [allow("s3:*"), deny("s3:DeleteObject", "s3:PutObject", resource=f"{SECRET}/key")]
OF_SECRET = [SECRET, f"{SECRET}/*"]
COPY = "x-amz-copy-source"
ESCAPES = {
    "a parameter that names a role of one's own": (
        [TEAMS_ROLES],
        call("PutUserPolicy", UserName="ana", RoleName="team-x", PolicyName="p", PolicyDocument=EVERYTHING),
    ),
    "a key whose user is not named": (
        [OWN_USER],
        call("UpdateAccessKey", AccessKeyId="{key of bob}", Status="Inactive"),
    ),
    "a key whose user is not named, deleted": (
        [OWN_USER],
        call("DeleteAccessKey", AccessKeyId="{key of bob}"),
    ),
    "another name for oneself": ([OWN_USER], call("UpdateUser", UserName="ana", NewUserName="carla")),
    "a copy": ([OWN_BUCKET], put("/mine/c", **{COPY: "secret/key"})),
    "a copy from what reads as a scheme": (
        [OWN_BUCKET, TEAMS_BUCKETS],
        put("/mine/c", **{COPY: "team-x:secret/key"}),
    ),
    "a copy with a fragment": (
        [OWN_BUCKET, allow("s3:GetObject", resource=f"{SECRET}/*pub")],
        put("/mine/c", **{COPY: "secret/key#pub"}),
    ),
    "a copy by a header with underscores": ([OWN_BUCKET], put("/mine/c", x_amz_copy_source="secret/key")),
    "a copy by a header that is not signed": (
        [OWN_BUCKET],
        (*put("/mine/c"), {"x_amz-copy-source": "secret/key"}),
    ),
    "a part that is copied, as an ACL": (
        [OWN_BUCKET],
        put("/mine/c?uploadId={upload}&partNumber=1&acl", **{COPY: "secret/key"}),
    ),
    "many deleted where one is protected": (ALL_BUT_KEY, ("s3", "POST", "/secret?delete", DELETE_MANY, {})),
    "many deleted in another namespace": (ALL_BUT_KEY, ("s3", "POST", "/secret?delete", DELETE_PREFIXED, {})),
    "many deleted by a form": (ALL_BUT_KEY, ("s3", "POST", "/secret?delete", DELETE_MANY, FORM)),
    "a file of a form": (ALL_BUT_KEY, ("s3", "POST", "/secret", FILE, FILE_FORM)),
    "settings by who may create a bucket": (
        [allow("s3:CreateBucket")],
        ("s3", "PUT", "/secret?encryption", b"<x/>", {}),
    ),
    "two things at once": (
        [allow("s3:PutBucketWebsite", resource=OF_SECRET)],
        (
            "s3",
            "PUT",
            "/secret?versioning&website",
            b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            {},
        ),
    ),
    "a name that moto alone knows": (
        [allow("s3:GetPublicAccessBlock", resource=OF_SECRET)],
        ("s3", "GET", "/secret?public_access_block", b"", {}),
    ),
    "retention, which moto takes for the content": (
        [allow("s3:GetObjectRetention", resource=OF_SECRET)],
        ("s3", "GET", "/secret/key?retention", b"", {}),
    ),
    "the content by who may list its parts": (
        [allow("s3:ListMultipartUploadParts", "s3:GetObjectTagging", resource=OF_SECRET)],
        ("s3", "GET", "/secret/key?uploadId=&tagging", b"", {}),
    ),
    "tags by who may put": (
        [allow("s3:PutObject", resource=OF_SECRET)],
        ("s3", "PUT", "/secret/key", b"TOP SECRET", {"x-amz-tagging": "a=b"}),
    ),
    "a version by who may read the newest": (
        [allow("s3:GetObject", resource=OF_SECRET)],
        ("s3", "GET", "/secret/key?versionId=null", b"", {}),
    ),
    "a version that a form names": (
        [allow("s3:GetObjectTagging", resource=OF_SECRET)],
        ("s3", "GET", "/secret/key", b"versionId=null&tagging=", FORM),
    ),
    "a user without the boundary that was asked for": (
        [allow("iam:CreateUser")],
        call("CreateUser", UserName="x", PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ),
}


@pytest.fixture
def place(gateway_client):
    """Return clients of a place with somebody's secret, a bucket of one's own, and two users: ana and bob."""
    s3 = gateway_client.client("s3")
    for bucket in ("secret", "mine"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="secret", Key="key", Body=b"TOP SECRET")
    return gateway_client


@pytest.mark.parametrize("name", ESCAPES)
def test_no_request_gets_around_a_policy(place, name):
    statements, (service, method, path, body, headers, *unsigned) = ESCAPES[name]
    keys = user_with(place, *statements)
    others = user_with(place, allow("s3:ListAllMyBuckets"), name="bob")
    upload = place.client("s3").create_multipart_upload(Bucket="mine", Key="c")["UploadId"]
    before = state_of(place)
    path = path.replace("{upload}", upload)
    body = body.replace(b"%7Bkey+of+bob%7D", others["aws_access_key_id"].encode())
    status, text = send(place, keys, service, method, path, body, headers, *unsigned)
    is_harmless = "underscores" in name or "not signed" in name  # such a header says nothing
    assert status in ({200} if is_harmless else {400, 403, 501}), text
    assert "TOP" not in text
    assert state_of(place) == before


@pytest.mark.parametrize("account", ["Production", "Development"])
def test_a_bucket_is_its_accounts(place, account):
    member_id = place.member_account_ids()[account]
    member, owner = place.client("s3", account=member_id), place.client("s3")
    for tried, options in (
        (member.get_object, {"Key": "key"}),
        (member.put_object, {"Key": "key", "Body": b"x"}),
        (member.delete_objects, {"Delete": {"Objects": [{"Key": "key"}]}}),
        (member.list_objects_v2, {}),
        (member.put_bucket_policy, {"Policy": EVERYTHING}),
        (member.delete_bucket, {}),
    ):
        assert refusal(tried, Bucket="secret", **options)["Code"] == "AccessDenied", tried
    member.create_bucket(Bucket="theirs")
    source = {"Bucket": "secret", "Key": "key"}
    assert refusal(member.copy_object, Bucket="theirs", Key="c", CopySource=source)["Code"] == "AccessDenied"
    shared = {**allow("s3:GetObject", resource=f"{SECRET}/*"), "Principal": {"AWS": member_id}}
    owner.put_bucket_policy(Bucket="secret", Policy=document(shared))
    assert member.get_object(Bucket="secret", Key="key")["Body"].read() == b"TOP SECRET"
    assert refusal(member.list_objects_v2, Bucket="secret")["Code"] == "AccessDenied"


def test_a_bucket_policy_denies_those_whom_it_names(place):
    keys = user_with(place, allow("s3:*"))
    principal = {"AWS": "arn:aws:iam::111122223333:user/ana"}
    denied = {**deny("s3:GetObject", resource=f"{SECRET}/*"), "Principal": principal}
    place.client("s3").put_bucket_policy(Bucket="secret", Policy=document(denied))
    ana = place.client("s3", credentials=keys)
    assert "explicit deny" in refusal(ana.get_object, Bucket="secret", Key="key")["Message"]
    assert place.client("s3").get_object(Bucket="secret", Key="key")["Body"].read() == b"TOP SECRET"


def role(client, name: str, *statements: dict, path: str = "/", policy: str | None = None) -> str:
    iam = client.client("iam")
    arn = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document(*statements))["Role"][
        "Arn"
    ]
    if policy:
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy)
    return arn


def trust(effect: str, principal) -> dict:
    return {"Effect": effect, "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}


ACCOUNT = "arn:aws:iam::111122223333:root"


def assumed(client, role_arn: str, credentials=None, **options) -> dict[str, str]:
    sts = client.client("sts", credentials=credentials)
    answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="ana", **options)["Credentials"]
    return {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }


def test_a_trust_policy_names_a_role_with_its_path(gateway_client):
    caller = role(gateway_client, "caller", trust("Allow", ACCOUNT), path="/a/b/", policy=EVERYTHING)
    named = role(gateway_client, "named", trust("Allow", caller))
    without_path = role(gateway_client, "other", trust("Allow", caller.replace("/a/b/", "/")))
    denied = role(gateway_client, "denied", trust("Allow", ACCOUNT), trust("Deny", caller))
    keys = assumed(gateway_client, caller)
    assert assumed(gateway_client, named, keys)
    for arn in (without_path, denied):
        with pytest.raises(ClientError, match="AccessDenied"):
            assumed(gateway_client, arn, keys)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}, "ValidationError"),
        (
            {"ProvidedContexts": [{"ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter"}]},
            "ValidationError",
        ),
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"Policy": "5"}, "MalformedPolicyDocument"),
        ({"Policy": '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": 1}]}'}, "MalformedPolicy"),
        (
            {"Policy": '{"Statement": [{"Effect": ["Allow"], "Action": "*", "Resource": "*"}]}'},
            "MalformedPolicy",
        ),
    ],
)
def test_a_limit_of_a_session_holds_or_is_refused(gateway_client, options, code):
    arn = role(gateway_client, "wide", trust("Allow", ACCOUNT), policy=EVERYTHING)
    with pytest.raises(ClientError, match=code):
        assumed(gateway_client, arn, **options)


def test_a_session_that_another_role_began_lasts_an_hour(gateway_client):
    arn = role(gateway_client, "wide", trust("Allow", ACCOUNT), policy=EVERYTHING)
    gateway_client.client("iam").update_role(RoleName="wide", MaxSessionDuration=43_200)
    keys = assumed(gateway_client, arn, DurationSeconds=43_200)
    with pytest.raises(ClientError, match="role chaining"):
        assumed(gateway_client, arn, keys, DurationSeconds=3601)


@pytest.mark.parametrize("principal", [{"x": 1}, [["a"]], 5, [None], {}])
def test_a_trust_policy_that_names_nobody_lets_nobody_in(gateway_client, principal):
    arn = role(gateway_client, "odd", trust("Allow", principal))
    with pytest.raises(ClientError, match="AccessDenied"):
        assumed(gateway_client, arn)


def test_identity_centers_own_roles_are_not_changed_by_hand(gateway_client):
    name, path = "AWSReservedSSO_Admin_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/"
    iam = gateway_client.client("iam")
    statement = json.dumps({"Version": "2012-10-17", "Statement": [trust("Allow", ACCOUNT)]})
    made = refusal(iam.create_role, RoleName=name, Path=path, AssumeRolePolicyDocument=statement)
    assert made["Code"] == "UnmodifiableEntity"
