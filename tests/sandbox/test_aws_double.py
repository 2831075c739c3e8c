"""moto's sts, iam, organizations and s3 behind the sandbox's port, as unmodified boto3 clients see them."""

from __future__ import annotations

import base64
import datetime
import gzip
import io
import json
import re
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from patience import PATIENCE_S
from test_authentication import from_botocore

from idc_sandbox.aws_double import accounts

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
SEED_NAMES = {"Management", "Security tooling", "Log archive", "Development", "Production"}


def refusal(call, *arguments, **options) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    return caught.value.response["Error"]["Code"]


# The organization that the sandbox starts with


def test_the_sandbox_starts_with_an_organization_of_two_units(gateway_client):
    organizations = gateway_client.client("organizations")
    organization = organizations.describe_organization()["Organization"]
    assert organization["MasterAccountId"] == "111122223333"
    assert organization["FeatureSet"] == "ALL"
    accounts = organizations.list_accounts()["Accounts"]
    assert {account["Name"] for account in accounts} == SEED_NAMES
    assert all(re.fullmatch(r"\d{12}", account["Id"]) for account in accounts)
    assert all(account["Email"].endswith("@example.com") for account in accounts)
    root_id = organizations.list_roots()["Roots"][0]["Id"]
    units = organizations.list_organizational_units_for_parent(ParentId=root_id)["OrganizationalUnits"]
    members = {
        unit["Name"]: {
            account["Name"]
            for account in organizations.list_accounts_for_parent(ParentId=unit["Id"])["Accounts"]
        }
        for unit in units
    }
    assert members == {
        "Security": {"Security tooling", "Log archive"},
        "Workloads": {"Development", "Production"},
    }


def test_accounts_come_in_whole_pages(gateway_client):
    pages = gateway_client.client("organizations").get_paginator("list_accounts").paginate(MaxResults=2)
    names = [account["Name"] for page in pages for account in page["Accounts"]]
    assert sorted(names) == sorted(SEED_NAMES)


def test_no_account_exists_that_the_organization_does_not_have(gateway_client):
    from moto.iam.models import iam_backends

    assert set(iam_backends) == gateway_client.double.account_ids()


def test_a_closed_account_is_no_longer_active(gateway_client):
    account_id = gateway_client.member_account_ids()["Log archive"]
    assert account_id in gateway_client.double.account_ids()
    gateway_client.client("organizations").close_account(AccountId=account_id)
    assert account_id not in gateway_client.double.account_ids()
    assert gateway_client.double.describe_account(account_id)[1] == "Log archive"
    assert gateway_client.double.describe_account("000000000000") is None


def test_a_delegated_administrator_of_identity_center(gateway_client):
    organizations = gateway_client.client("organizations")
    account_id = gateway_client.member_account_ids()["Security tooling"]
    what = {"AccountId": account_id, "ServicePrincipal": "sso.amazonaws.com"}
    assert gateway_client.double.delegated_administrators("sso.amazonaws.com") == set()
    organizations.register_delegated_administrator(**what)
    assert gateway_client.double.delegated_administrators("sso.amazonaws.com") == {account_id}
    assert gateway_client.double.delegated_administrators("guardduty.amazonaws.com") == set()
    found = organizations.list_delegated_administrators(ServicePrincipal="sso.amazonaws.com")
    assert [admin["Id"] for admin in found["DelegatedAdministrators"]] == [account_id]
    organizations.deregister_delegated_administrator(**what)
    assert gateway_client.double.delegated_administrators("sso.amazonaws.com") == set()


def test_identity_center_has_one_delegated_administrator_at_a_time(gateway_client):
    organizations = gateway_client.client("organizations")
    members = gateway_client.member_account_ids()
    delegate, other = members["Security tooling"], members["Development"]
    principal = "sso.amazonaws.com"
    organizations.register_delegated_administrator(AccountId=delegate, ServicePrincipal=principal)
    for account_id, service, refusal in (
        (other, principal, "ConstraintViolationException.* exceeded the allowed number"),
        (delegate, principal, "AccountAlreadyRegisteredException"),
        ("111122223333", principal, "ConstraintViolationException.* cannot register management account"),
        (other, "sso.amazon.com", "InvalidInputException"),
    ):
        with pytest.raises(ClientError, match=refusal):
            organizations.register_delegated_administrator(AccountId=account_id, ServicePrincipal=service)
    found = organizations.list_delegated_administrators()["DelegatedAdministrators"]
    assert [admin["Id"] for admin in found] == [delegate], "a refused account is not listed"
    organizations.register_delegated_administrator(
        AccountId=other, ServicePrincipal="guardduty.amazonaws.com"
    )
    organizations.deregister_delegated_administrator(AccountId=delegate, ServicePrincipal=principal)
    organizations.register_delegated_administrator(AccountId=other, ServicePrincipal=principal)


def test_trusted_access(gateway_client):
    organizations = gateway_client.client("organizations")

    def principals() -> list[str]:
        found = organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
        return [service["ServicePrincipal"] for service in found]

    assert principals() == []
    for _ in range(2):
        gateway_client.double.enable_trusted_access("sso.amazonaws.com")
        assert principals() == ["sso.amazonaws.com"]
    gateway_client.restart()
    assert principals() == ["sso.amazonaws.com"]


def test_a_member_sees_its_organization(gateway_client):
    account_id = gateway_client.member_account_ids()["Production"]
    organizations = gateway_client.client("organizations", account=account_id)
    assert organizations.describe_organization()["Organization"]["MasterAccountId"] == "111122223333"


# iam


def test_users_groups_and_policies_of_iam(gateway_client):
    iam = gateway_client.client("iam")
    user = iam.create_user(UserName="ana", Path="/people/", Tags=[{"Key": "team", "Value": "blue"}])["User"]
    assert user["Arn"] == "arn:aws:iam::111122223333:user/people/ana"
    iam.create_group(GroupName="readers")
    iam.add_user_to_group(GroupName="readers", UserName="ana")
    assert [member["UserName"] for member in iam.get_group(GroupName="readers")["Users"]] == ["ana"]
    policy = iam.create_policy(
        PolicyName="Mine", Path="/own/", PolicyDocument=TRUST.replace("[]", f"[{STATEMENT}]")
    )
    policy_arn = policy["Policy"]["Arn"]
    iam.attach_user_policy(UserName="ana", PolicyArn=policy_arn)
    attached = iam.list_attached_user_policies(UserName="ana")["AttachedPolicies"]
    assert attached == [{"PolicyName": "Mine", "PolicyArn": policy_arn}]
    assert [found["Arn"] for found in iam.list_policies(Scope="Local")["Policies"]] == [policy_arn]
    assert refusal(iam.create_user, UserName="ana") == "EntityAlreadyExists"
    assert refusal(iam.delete_user, UserName="ana") == "DeleteConflict"
    assert refusal(iam.get_user, UserName="nobody") == "NoSuchEntity"
    assert gateway_client.double.customer_managed_policy_exists("111122223333", "/own/", "Mine")
    assert not gateway_client.double.customer_managed_policy_exists("111122223333", "/", "Mine")
    assert not gateway_client.double.customer_managed_policy_exists("222233334444", "/own/", "Mine")


STATEMENT = '{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}'


def test_accounts_have_their_own_iam(gateway_client):
    accounts = gateway_client.member_account_ids()
    development = gateway_client.client("iam", account=accounts["Development"])
    development.create_user(UserName="theirs")
    assert [user["UserName"] for user in development.list_users()["Users"]] == ["theirs"]
    production = gateway_client.client("iam", account=accounts["Production"])
    assert production.list_users()["Users"] == []


def test_all_managed_policies_of_aws_are_there(gateway_client):
    pages = gateway_client.client("iam").get_paginator("list_policies").paginate(Scope="AWS")
    policies = {policy["Arn"]: policy for page in pages for policy in page["Policies"]}
    assert len(policies) == 1582
    assert len({policy["PolicyId"] for policy in policies.values()}) == 1582
    account_id = gateway_client.member_account_ids()["Development"]
    gateway_client.restart()
    one = next(iter(policies))
    again = gateway_client.client("iam", account=account_id).get_policy(PolicyArn=one)["Policy"]
    assert again["PolicyId"] == policies[one]["PolicyId"]
    for name in (
        "AdministratorAccess",
        "job-function/ViewOnlyAccess",
        "aws-service-role/AWSSSOServiceRolePolicy",
    ):
        policy_arn = f"arn:aws:iam::aws:policy/{name}"
        assert policy_arn in policies
        assert gateway_client.double.is_managed_policy(policy_arn)
    assert not gateway_client.double.is_managed_policy("arn:aws:iam::aws:policy/ViewOnlyAccess")
    assert not gateway_client.double.is_managed_policy("arn:aws:iam::111122223333:policy/AdministratorAccess")


def test_an_attached_managed_policy_is_counted_in_its_account_alone(gateway_client):
    accounts = gateway_client.member_account_ids()
    policy_arn = "arn:aws:iam::aws:policy/job-function/Billing"
    iam, other = (
        gateway_client.client("iam", account=accounts[name]) for name in ("Development", "Production")
    )
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="r", PolicyArn=policy_arn)
    gateway_client.restart()
    assert iam.get_policy(PolicyArn=policy_arn)["Policy"]["AttachmentCount"] == 1
    assert other.get_policy(PolicyArn=policy_arn)["Policy"]["AttachmentCount"] == 0
    iam.detach_role_policy(RoleName="r", PolicyArn=policy_arn)
    assert iam.get_policy(PolicyArn=policy_arn)["Policy"]["AttachmentCount"] == 0
    assert iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"] == []


# sts


def test_sts_knows_users_and_sessions(gateway_client):
    sts = gateway_client.client("sts")
    key, _ = gateway_client.double.administrator_credentials()
    assert sts.get_access_key_info(AccessKeyId=key)["Account"] == "111122223333"
    account_id = gateway_client.member_account_ids()["Development"]
    answer = sts.assume_role(
        RoleArn=f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole",
        RoleSessionName="ana@example.com",
        DurationSeconds=900,
    )
    assert answer["AssumedRoleUser"]["Arn"] == (
        f"arn:aws:sts::{account_id}:assumed-role/OrganizationAccountAccessRole/ana@example.com"
    )
    left = answer["Credentials"]["Expiration"] - datetime.datetime.now(datetime.UTC)
    assert 800 < left.total_seconds() <= 900


# s3


@pytest.fixture
def s3(gateway_client):
    client = gateway_client.client("s3")
    client.create_bucket(Bucket="bucket")
    return client


@pytest.mark.parametrize(
    "key", ["plain", "a/b c/ü+&=?#.txt", "trailing/", "double//slash", "per%20cent", "~"]
)
def test_objects_come_back_as_they_were_put(s3, key):
    etag = s3.put_object(
        Bucket="bucket",
        Key=key,
        Body=b"\x00\xffbytes",
        ContentType="text/x",
        Metadata={"some_key": "v", "other-key": "w"},
    )["ETag"]
    found = s3.get_object(Bucket="bucket", Key=key)
    assert found["Body"].read() == b"\x00\xffbytes"
    assert found["ContentType"] == "text/x"
    assert found["Metadata"] == {"some_key": "v", "other-key": "w"}
    head = s3.head_object(Bucket="bucket", Key=key)
    assert (head["ETag"], head["ContentLength"]) == (etag, 7)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]] == [key]
    s3.delete_object(Bucket="bucket", Key=key)
    assert refusal(s3.get_object, Bucket="bucket", Key=key) == "NoSuchKey"
    assert refusal(s3.head_object, Bucket="bucket", Key=key) == "404"


def test_ranges_conditions_and_copies(s3):
    etag = s3.put_object(Bucket="bucket", Key="k", Body=b"0123456789")["ETag"]
    part = s3.get_object(Bucket="bucket", Key="k", Range="bytes=2-4")
    assert (part["Body"].read(), part["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert s3.get_object(Bucket="bucket", Key="k", Range="bytes=-3")["Body"].read() == b"789"
    assert refusal(s3.get_object, Bucket="bucket", Key="k", Range="bytes=20-") == "InvalidRange"
    assert refusal(s3.get_object, Bucket="bucket", Key="k", IfNoneMatch=etag) == "304"
    assert refusal(s3.get_object, Bucket="bucket", Key="k", IfMatch='"other"') == "PreconditionFailed"
    s3.copy_object(Bucket="bucket", Key="copy", CopySource={"Bucket": "bucket", "Key": "k"})
    assert s3.get_object(Bucket="bucket", Key="copy")["Body"].read() == b"0123456789"


def test_large_files_go_up_in_parts(s3):
    content = bytes(range(256)) * 40_000  # 10.24 MB
    config = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20, use_threads=False)
    s3.upload_fileobj(io.BytesIO(content), "bucket", "large", Config=config)
    head = s3.head_object(Bucket="bucket", Key="large")
    assert head["ContentLength"] == len(content)
    assert head["ETag"].endswith('-2"')
    target = io.BytesIO()
    s3.download_fileobj("bucket", "large", target, Config=config)
    assert target.getvalue() == content
    upload_id = s3.create_multipart_upload(Bucket="bucket", Key="never")["UploadId"]
    assert [item["UploadId"] for item in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]] == [upload_id]
    s3.abort_multipart_upload(Bucket="bucket", Key="never", UploadId=upload_id)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="bucket")


def test_versions_tags_policies_and_lists(s3):
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="bucket", Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket="bucket", Key="k", Body=b"2")["VersionId"]
    assert s3.get_object(Bucket="bucket", Key="k", VersionId=first)["Body"].read() == b"1"
    marker = s3.delete_object(Bucket="bucket", Key="k")
    assert marker["DeleteMarker"] is True
    assert refusal(s3.get_object, Bucket="bucket", Key="k") == "NoSuchKey"
    versions = s3.list_object_versions(Bucket="bucket")
    assert {item["VersionId"] for item in versions["Versions"]} == {first, second}
    assert refusal(s3.delete_bucket, Bucket="bucket") == "BucketNotEmpty"
    s3.put_bucket_tagging(Bucket="bucket", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_bucket_tagging(Bucket="bucket")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert refusal(s3.create_bucket, Bucket="ab") == "InvalidBucketName"
    assert refusal(s3.list_objects_v2, Bucket="missing") == "NoSuchBucket"


def test_pages_prefixes_and_delimiters(s3):
    for number in range(7):
        s3.put_object(Bucket="bucket", Key=f"folder {number % 2}/{number}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", PaginationConfig={"PageSize": 2})
    assert len([item for page in pages for item in page["Contents"]]) == 7
    folders = s3.list_objects_v2(Bucket="bucket", Delimiter="/")["CommonPrefixes"]
    assert [folder["Prefix"] for folder in folders] == ["folder 0/", "folder 1/"]
    assert s3.list_objects_v2(Bucket="bucket", Prefix="folder 0/")["KeyCount"] == 4


def test_buckets_of_other_regions_and_accounts(gateway_client, s3):
    frankfurt = gateway_client.client("s3", region="eu-central-1")
    where = {"LocationConstraint": "eu-central-1"}
    frankfurt.create_bucket(Bucket="frankfurt", CreateBucketConfiguration=where)
    assert frankfurt.get_bucket_location(Bucket="frankfurt")["LocationConstraint"] == "eu-central-1"
    member = gateway_client.client("s3", account=gateway_client.member_account_ids()["Production"])
    assert member.list_buckets()["Buckets"] == []
    assert refusal(member.create_bucket, Bucket="bucket") == "BucketAlreadyExists"
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["bucket", "frankfurt"]


def test_checksums_of_every_client_setting(gateway_client, s3):
    s3.put_object(Bucket="bucket", Key="k", Body=b"text", ChecksumAlgorithm="SHA256")
    found = s3.get_object(Bucket="bucket", Key="k", ChecksumMode="ENABLED")
    assert found["Body"].read() == b"text"
    assert found["ChecksumSHA256"]
    for setting in ("when_supported", "when_required"):
        client = gateway_client.client(
            "s3", config={"request_checksum_calculation": setting, "response_checksum_validation": setting}
        )
        client.put_object(Bucket="bucket", Key="k", Body=setting.encode())
        assert client.get_object(Bucket="bucket", Key="k")["Body"].read() == setting.encode()


def send_signed(gateway_client, method, path, body, headers):
    key, secret = gateway_client.double.administrator_credentials()
    request = AWSRequest(method, gateway_client.endpoint_url + path, headers, body)
    request.context["payload_signing_enabled"] = True
    S3SigV4Auth(Credentials(key, secret), "s3", "us-east-1").add_auth(request)
    return gateway_client.gateway.handle(from_botocore(request.prepare()))


def test_a_chunked_upload_with_a_checksum_after_it(gateway_client, s3):
    """This is what SDKs send over TLS, and some always."""
    checksum = base64.b64encode(zlib.crc32(b"hello world").to_bytes(4, "big")).decode()
    chunked = f"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n".encode()
    headers = {
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "Content-Encoding": "aws-chunked",
        "X-Amz-Decoded-Content-Length": "11",
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    }
    key, secret = gateway_client.double.administrator_credentials()
    request = AWSRequest("PUT", gateway_client.endpoint_url + "/bucket/chunked", headers, chunked)
    signer = S3SigV4Auth(Credentials(key, secret), "s3", "us-east-1")
    signer.payload = lambda _request: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    signer.add_auth(request)
    assert gateway_client.gateway.handle(from_botocore(request.prepare())).status == 200
    assert s3.get_object(Bucket="bucket", Key="chunked")["Body"].read() == b"hello world"


def test_compressed_content_stays_as_it_is(s3):
    body = gzip.compress(b"text" * 100)
    s3.put_object(Bucket="bucket", Key="k", Body=body, ContentEncoding="gzip")
    found = s3.get_object(Bucket="bucket", Key="k")
    assert (found["Body"].read(), found["ContentEncoding"]) == (body, "gzip")


def test_what_is_known_of_a_caller_outlives_a_change_of_s3_and_none_of_iam(gateway_client, s3, monkeypatch):
    asked = []
    collect = accounts.collect
    monkeypatch.setattr(accounts, "collect", lambda caller: asked.append(caller) or collect(caller))
    s3.put_object(Bucket="bucket", Key="first", Body=b"1")
    asked.clear()
    s3.put_object(Bucket="bucket", Key="second", Body=b"2")
    assert asked == []
    iam = gateway_client.client("iam")
    iam.create_user(UserName="ana")
    everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    iam.put_user_policy(UserName="ana", PolicyName="all", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    names = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    of_ana = gateway_client.client("s3", credentials=names)
    of_ana.put_object(Bucket="bucket", Key="third", Body=b"3")
    iam.delete_user_policy(UserName="ana", PolicyName="all")
    with pytest.raises(ClientError, match="AccessDenied"):
        of_ana.put_object(Bucket="bucket", Key="fourth", Body=b"4")


def everything(effect: str) -> str:
    statement = {"Effect": effect, "Action": "*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


TAKEN_AWAY = {
    "the key is inactive": lambda iam, key: iam.update_access_key(
        UserName="ana", AccessKeyId=key, Status="Inactive"
    ),
    "the key is gone": lambda iam, key: iam.delete_access_key(UserName="ana", AccessKeyId=key),
    "the group's policy is gone": lambda iam, _key: iam.delete_group_policy(
        GroupName="writers", PolicyName="all"
    ),
    "no more in the group": lambda iam, _key: iam.remove_user_from_group(GroupName="writers", UserName="ana"),
    "it is denied": lambda iam, _key: iam.put_user_policy(
        UserName="ana", PolicyName="none", PolicyDocument=everything("Deny")
    ),
}


@pytest.mark.parametrize("case", TAKEN_AWAY)
def test_what_a_caller_may_no_more_is_refused_at_once_to_all_threads(gateway_client, s3, case):
    iam = gateway_client.client("iam")
    iam.create_user(UserName="ana")
    iam.create_group(GroupName="writers")
    iam.add_user_to_group(GroupName="writers", UserName="ana")
    iam.put_group_policy(GroupName="writers", PolicyName="all", PolicyDocument=everything("Allow"))
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    names = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    clients = [gateway_client.client("s3", credentials=names) for _ in range(2)]
    is_taken_away, answers = threading.Event(), []

    def put_until_refused(number: int) -> None:
        for count in range(1000):
            was_taken_away = is_taken_away.is_set()
            try:
                clients[number].put_object(Bucket="bucket", Key=f"{number}/{count}", Body=b"x")
                answers.append((number, was_taken_away))
                if was_taken_away:
                    return
            except ClientError:
                answers.append((number, "refused"))
                return

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(put_until_refused, number) for number in range(2)]
        while len({number for number, _ in answers}) < 2 and not all(one.done() for one in writers):
            s3.list_objects_v2(Bucket="bucket")
        TAKEN_AWAY[case](iam, key["AccessKeyId"])
        is_taken_away.set()
        for one in writers:
            one.result(PATIENCE_S)
    assert (0, "refused") in answers
    assert (1, "refused") in answers
    assert not [one for one in answers if one[1] is True], "it was done after it was forbidden"
    assert {number for number, said in answers if said is False} == {0, 1}, "each had written before"


def test_what_was_seen_of_a_caller_in_a_change_that_was_undone_is_known_no_more(gateway_client, monkeypatch):
    iam = gateway_client.client("iam")
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    caller = gateway_client.double.secret_of(key["AccessKeyId"]).caller

    def look_and_fail(*_arguments) -> None:
        gateway_client.double.access_policies(caller)
        raise RuntimeError("no event")

    monkeypatch.setattr(gateway_client.gateway.feed, "record_call", look_and_fail)
    with pytest.raises(ClientError, match="Internal"):
        iam.put_user_policy(UserName="ana", PolicyName="all", PolicyDocument=everything("Allow"))
    monkeypatch.undo()
    names = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    with pytest.raises(ClientError, match="AccessDenied"):
        gateway_client.client("iam", credentials=names).list_users()


def test_what_moto_cannot_do_is_refused_cleanly(gateway_client, s3, monkeypatch):
    monkeypatch.setitem(sys.modules, "py_partiql_parser", None)  # moto's parser of S3 Select is not required
    s3.put_object(Bucket="bucket", Key="k", Body=b"a,b\n1,2\n")
    code = refusal(
        s3.select_object_content,
        Bucket="bucket",
        Key="k",
        Expression="SELECT * FROM s3object",
        ExpressionType="SQL",
        InputSerialization={"CSV": {}},
        OutputSerialization={"CSV": {}},
    )
    assert code == "NotImplemented"
    assert (
        refusal(
            gateway_client.client("iam").generate_service_last_accessed_details,
            Arn="arn:aws:iam::111122223333:user/x",
        )
        == "InvalidAction"
    )


# Ids, secrets, clock


def made_things(client) -> list[str]:
    iam, organizations = client.client("iam"), client.client("organizations")
    s3 = client.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    return [
        *sorted(set(client.member_account_ids().values()) - {client.management_account_id}),
        organizations.describe_organization()["Organization"]["Id"],
        iam.create_user(UserName="ana")["User"]["UserId"],
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["RoleId"],
        s3.put_object(Bucket="bucket", Key="k", Body=b"")["VersionId"],
        s3.create_multipart_upload(Bucket="bucket", Key="k")["UploadId"],
        organizations.create_account(AccountName="N", Email="n@example.com")["CreateAccountStatus"][
            "AccountId"
        ],
    ]


def test_the_same_seed_and_calls_give_the_same_ids_and_never_the_same_secrets(
    gateway_client, tmp_path_factory
):
    from sandbox_clients import GatewayClient

    again, other = (GatewayClient(tmp_path_factory.mktemp("other"), seed=seed) for seed in (7, 8))
    first = made_things(gateway_client)
    assert len(set(first)) == len(first)
    assert made_things(again) == first
    assert not set(made_things(other)) & set(first)
    assert again.double.administrator_credentials()[1] != gateway_client.double.administrator_credentials()[1]
    keys = [
        client.client("iam").create_access_key(UserName="ana")["AccessKey"]
        for client in (gateway_client, again)
    ]
    assert keys[0]["AccessKeyId"] == keys[1]["AccessKeyId"]
    assert keys[0]["SecretAccessKey"] != keys[1]["SecretAccessKey"]
    again.store.close()
    other.store.close()


def test_reading_does_not_shift_ids_and_a_restart_does_not_repeat_them(gateway_client, tmp_path_factory):
    from sandbox_clients import GatewayClient

    steady = GatewayClient(tmp_path_factory.mktemp("other"))
    for client in (gateway_client, steady):
        client.ids = [client.client("iam").create_user(UserName="u0")["User"]["UserId"]]
    gateway_client.client("iam").list_policies()
    gateway_client.client("s3").list_buckets()
    gateway_client.restart()
    for client in (gateway_client, steady):
        client.ids.append(client.client("iam").create_user(UserName="u1")["User"]["UserId"])
    assert gateway_client.ids == steady.ids
    assert len(set(steady.ids)) == 2
    steady.store.close()


def test_moto_goes_by_the_sandboxs_clock(gateway_client):
    gateway_client.advance_clock(40 * 86_400)
    expected = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=40)
    iam, s3 = gateway_client.client("iam"), gateway_client.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"")
    moments = [
        iam.create_user(UserName="ana")["User"]["CreateDate"],
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["CreateDate"],
        s3.list_buckets()["Buckets"][0]["CreationDate"],
        s3.head_object(Bucket="bucket", Key="k")["LastModified"],
    ]
    assert all(abs((moment - expected).total_seconds()) < 600 for moment in moments)


# The roles of permission sets


def reserved_role(account_id: str, **more):
    return {
        "role_name": "AWSReservedSSO_Reader_0123456789abcdef",
        "path": "/aws-reserved/sso.amazonaws.com/eu-central-1/",
        "description": "Reads",
        "max_session_duration_s": 43_200,
        "saml_provider_arn": f"arn:aws:iam::{account_id}:saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE",
        **more,
    }


def test_the_role_of_a_permission_set_is_made_changed_and_deleted(gateway_client):
    double = gateway_client.double
    account_id = gateway_client.member_account_ids()["Development"]
    iam = gateway_client.client("iam", account=account_id)
    iam.create_policy(PolicyName="Own", Path="/p/", PolicyDocument=TRUST.replace("[]", f"[{STATEMENT}]"))
    role_arn = double.put_reserved_role(
        account_id,
        **reserved_role(
            account_id,
            managed_policy_arns=["arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"],
            customer_managed=[("/p/", "Own")],
            inline_policy=TRUST,
        ),
    )
    name = "AWSReservedSSO_Reader_0123456789abcdef"
    assert role_arn == f"arn:aws:iam::{account_id}:role/aws-reserved/sso.amazonaws.com/eu-central-1/{name}"
    gateway_client.restart()
    double = gateway_client.double
    role = iam.get_role(RoleName=name)["Role"]
    assert (role["Arn"], role["MaxSessionDuration"], role["Description"]) == (role_arn, 43_200, "Reads")
    statement = role["AssumeRolePolicyDocument"]["Statement"][0]
    assert statement["Action"] == ["sts:AssumeRoleWithSAML", "sts:TagSession"]
    provider_arn = reserved_role(account_id)["saml_provider_arn"]
    assert statement["Principal"] == {"Federated": provider_arn}
    assert [item["Arn"] for item in iam.list_saml_providers()["SAMLProviderList"]] == [provider_arn]
    assert policies_of(iam, name) == {
        "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",
        f"arn:aws:iam::{account_id}:policy/p/Own",
    }
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["AwsSSOInlinePolicy"]
    assert double.list_reserved_roles(account_id) == [name]
    boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    changed = reserved_role(
        account_id,
        description="Writes",
        managed_policy_arns=["arn:aws:iam::aws:policy/PowerUserAccess"],
        permissions_boundary_arn=boundary,
    )
    assert double.put_reserved_role(account_id, **changed) == role_arn
    role = iam.get_role(RoleName=name)["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert role["Description"] == "Writes"
    assert policies_of(iam, name) == {"arn:aws:iam::aws:policy/PowerUserAccess"}
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []
    double.delete_reserved_role(account_id, name)
    double.delete_reserved_role(account_id, name)
    assert refusal(iam.get_role, RoleName=name) == "NoSuchEntity"
    assert double.list_reserved_roles(account_id) == []
    own = iam.list_policies(Scope="Local")["Policies"][0]
    assert own["AttachmentCount"] == 0


def test_whether_a_boundary_was_read_before_does_not_shift_ids(gateway_client, tmp_path_factory):
    from sandbox_clients import GatewayClient

    steady = GatewayClient(tmp_path_factory.mktemp("other"))
    ids = {}
    for client in (gateway_client, steady):
        account_id = client.member_account_ids()["Development"]
        iam = client.client("iam", account=account_id)
        for number in range(2):
            role = reserved_role(account_id, role_name=f"AWSReservedSSO_Reader_{number:016x}")
            boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
            client.double.put_reserved_role(account_id, **role, permissions_boundary_arn=boundary)
            role_id = iam.get_role(RoleName=role["role_name"])["Role"]["RoleId"]
            ids.setdefault(client, []).append(role_id)
            if client is gateway_client:
                client.restart()
    assert ids[gateway_client] == ids[steady]
    steady.store.close()


def policies_of(iam, role_name: str) -> set[str]:
    attached = iam.list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]
    return {policy["PolicyArn"] for policy in attached}


def test_a_role_with_a_policy_that_is_missing_is_not_made_by_half(gateway_client):
    from idc_sandbox.errors import ServiceError

    account_id = gateway_client.member_account_ids()["Development"]
    wanted = reserved_role(account_id, customer_managed=[("/", "Missing")])
    with pytest.raises(ServiceError, match="Missing") as caught:
        gateway_client.double.put_reserved_role(account_id, **wanted)
    assert caught.value.code == "ResourceNotFoundException"
    assert gateway_client.double.list_reserved_roles(account_id) == []


def test_a_role_that_somebody_deleted_is_made_again_by_an_update(gateway_client):
    account_id = gateway_client.member_account_ids()["Development"]
    wanted = reserved_role(account_id)
    assert gateway_client.double.put_reserved_role(account_id, **wanted)
    assert gateway_client.double.list_reserved_roles(account_id) == [wanted["role_name"]]
