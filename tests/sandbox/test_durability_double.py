"""moto's memory and the state file agree: after a restart, a refusal, a failed commit, another double."""

from __future__ import annotations

import io
import json
import os
import pickle
import sqlite3

import pytest
from botocore.exceptions import ClientError
from sandbox_clients import GatewayClient

from idc_sandbox.aws_double.double import AwsDouble
from idc_sandbox.errors import SandboxStartError, ServiceError
from idc_sandbox.store import Store

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
STATEMENT = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})


def refusal(call, *arguments, **options) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    return caught.value.response["Error"]["Code"]


def users(client) -> set[str]:
    return {user["UserName"] for user in client.client("iam").list_users()["Users"]} - {
        "sandbox-administrator"
    }


def without_metadata(answer: dict) -> dict:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def everything(client) -> dict:
    """Return what moto's services answer to a client that reads."""
    iam, s3, organizations = client.client("iam"), client.client("s3"), client.client("organizations")
    calls = [
        (iam.get_account_authorization_details, {"Filter": ["User", "Group", "Role", "LocalManagedPolicy"]}),
        (iam.list_access_keys, {"UserName": "ana"}),
        (iam.list_user_tags, {"UserName": "ana"}),
        (organizations.list_accounts, {}),
        (organizations.describe_organization, {}),
        (organizations.list_delegated_administrators, {}),
        (s3.list_buckets, {}),
        (s3.list_object_versions, {"Bucket": "kept"}),
        (s3.get_bucket_tagging, {"Bucket": "kept"}),
        (s3.get_object_tagging, {"Bucket": "kept", "Key": "small"}),
        (s3.list_multipart_uploads, {"Bucket": "kept"}),
        (s3.get_bucket_lifecycle_configuration, {"Bucket": "kept"}),
        (s3.get_bucket_acl, {"Bucket": "kept"}),
    ]
    answers = {f"{call.__name__}": without_metadata(call(**options)) for call, options in calls}
    for role in answers["get_account_authorization_details"]["RoleDetailList"]:
        role.pop("RoleLastUsed", None)  # when it was used last is not worth a write
    for number, version in enumerate(answers["list_object_versions"].get("Versions", [])):
        found = s3.get_object(Bucket="kept", Key=version["Key"], VersionId=version["VersionId"])
        answers[f"object {number}"] = (
            version["Key"],
            found["Body"].read(),
            found["Metadata"],
            found["ContentType"],
        )
    return answers


def fill(client) -> None:
    iam, s3, organizations = client.client("iam"), client.client("s3"), client.client("organizations")
    iam.create_user(UserName="ana", Tags=[{"Key": "team", "Value": "blue"}])
    iam.create_access_key(UserName="ana")
    iam.create_group(GroupName="people")
    iam.add_user_to_group(GroupName="people", UserName="ana")
    iam.attach_group_policy(GroupName="people", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "a", "Value": "b"}])
    iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=POLICY)
    iam.create_policy(PolicyName="own", PolicyDocument=POLICY)
    account_id = client.member_account_ids()["Security tooling"]
    organizations.register_delegated_administrator(AccountId=account_id, ServicePrincipal="sso.amazonaws.com")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket="kept", LifecycleConfiguration={"Rules": [rule]})
    for body in (b"first", b"second", os.urandom(5000)):
        s3.put_object(Bucket="kept", Key="small", Body=body, Metadata={"my_key": "v"}, ContentType="text/x")
    s3.put_object_tagging(Bucket="kept", Key="small", Tagging={"TagSet": [{"Key": "c", "Value": "d"}]})
    s3.put_object(Bucket="kept", Key="gone", Body=b"x" * 3000)
    s3.delete_object(Bucket="kept", Key="gone")
    upload_id = s3.create_multipart_upload(Bucket="kept", Key="half")["UploadId"]
    s3.upload_part(Bucket="kept", Key="half", UploadId=upload_id, PartNumber=1, Body=b"p" * 4000)


def test_all_that_was_made_is_the_same_after_a_restart(gateway_client):
    fill(gateway_client)
    before = everything(gateway_client)
    assert len(before["list_object_versions"]["Versions"]) == 4
    assert len(before["list_object_versions"]["DeleteMarkers"]) == 1
    assert before["object 1"][1]
    for _ in range(2):
        gateway_client.restart()
        assert everything(gateway_client) == before


def test_an_upload_that_was_begun_before_a_restart_is_finished_after_it(gateway_client):
    fill(gateway_client)
    gateway_client.restart()
    s3 = gateway_client.client("s3")
    upload_id = s3.list_multipart_uploads(Bucket="kept")["Uploads"][0]["UploadId"]
    part = s3.list_parts(Bucket="kept", Key="half", UploadId=upload_id)["Parts"][0]
    done = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="kept", Key="half", UploadId=upload_id, MultipartUpload=done)
    gateway_client.restart()
    assert s3.get_object(Bucket="kept", Key="half")["Body"].read() == b"p" * 4000


def test_keys_and_sessions_work_after_a_restart(gateway_client):
    administrator = gateway_client.credentials()
    account_id = gateway_client.member_account_ids()["Development"]
    session = gateway_client.credentials(account_id)
    gateway_client.restart()
    assert gateway_client.credentials() == administrator
    sts = gateway_client.client("sts", credentials=session)
    assert sts.get_caller_identity()["Account"] == account_id
    gateway_client.advance_clock(3700)
    gateway_client.restart()
    assert refusal(sts.get_caller_identity) == "ExpiredToken"


def test_a_write_that_is_refused_leaves_nothing(gateway_client):
    iam = gateway_client.client("iam")
    iam.create_user(UserName="ana")
    assert refusal(iam.create_user, UserName="ana") == "EntityAlreadyExists"
    assert refusal(iam.add_user_to_group, GroupName="none", UserName="ana") == "NoSuchEntity"
    gateway_client.restart()
    assert users(gateway_client) == {"ana"}


def reserved_role(account_id: str) -> dict:
    return {
        "role_name": "AWSReservedSSO_A_0123456789abcdef",
        "path": "/aws-reserved/sso.amazonaws.com/",
        "description": "",
        "max_session_duration_s": 43_200,
        "saml_provider_arn": f"arn:aws:iam::{account_id}:saml-provider/AWSSSO_0_DO_NOT_DELETE",
    }


def test_a_transaction_that_is_rolled_back_takes_motos_memory_with_it(gateway_client):
    double, store = gateway_client.double, gateway_client.store
    account_id = gateway_client.member_account_ids()["Development"]
    wanted = reserved_role(account_id)

    def create_and_fail() -> None:
        with store.transaction():
            double.put_reserved_role(account_id, **wanted)
            assert double.list_reserved_roles(account_id) == [wanted["role_name"]]
            raise ServiceError("ConflictException", "something else went wrong")

    with pytest.raises(ServiceError):
        create_and_fail()
    assert double.list_reserved_roles(account_id) == []
    role_arn = double.put_reserved_role(account_id, **wanted)
    assert role_arn.endswith(wanted["role_name"])
    gateway_client.restart()
    assert gateway_client.double.list_reserved_roles(account_id) == [wanted["role_name"]]


def test_a_key_of_a_transaction_that_is_rolled_back_is_not_remembered(gateway_client):
    double, store = gateway_client.double, gateway_client.store
    wanted = reserved_role(double.management_account_id)
    double.put_reserved_role(double.management_account_id, **wanted)
    issued: list[str] = []

    def issue_and_fail() -> None:
        with store.transaction():
            key, *_ = double.assume_reserved_role(
                double.management_account_id,
                wanted["role_name"],
                session_name="ana",
                duration_s=3600,
                carried={},
            )
            issued.append(key)
            assert double.secret_of(key) is not None
            raise ServiceError("ConflictException", "something else went wrong")

    with pytest.raises(ServiceError):
        issue_and_fail()
    assert double.secret_of(issued[0]) is None


class FailingCommit:
    """A SQLite connection whose next commit fails, as on a full disk."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.fails = True

    def __getattr__(self, name: str):
        return getattr(self._connection, name)

    def commit(self) -> None:
        if self.fails:
            self.fails = False
            self._connection.rollback()  # what SQLite has done by then
            raise sqlite3.OperationalError("database or disk is full")
        self._connection.commit()


def test_after_a_failed_commit_memory_is_what_the_file_holds(gateway_client):
    fill(gateway_client)
    before = everything(gateway_client)
    iam, s3, organizations = (gateway_client.client(name) for name in ("iam", "s3", "organizations"))
    store = gateway_client.store
    real = store._connection
    for call, options in (
        (iam.create_user, {"UserName": "lost"}),
        (s3.put_object, {"Bucket": "kept", "Key": "small", "Body": b"lost" * 1000}),
        (s3.delete_bucket_tagging, {"Bucket": "kept"}),
        (organizations.create_account, {"AccountName": "Lost", "Email": "lost@example.com"}),
    ):
        exchange = gateway_client.gateway.double.handle

        def fail_at_the_end(request, signature, exchange=exchange):
            answer = exchange(request, signature)
            store._connection = FailingCommit(real)
            return answer

        gateway_client.gateway.double.handle = fail_at_the_end
        assert refusal(call, **options) in ("InternalFailure", "InternalError", "InternalServerException")
        del gateway_client.gateway.double.handle
        store._connection = real
        assert everything(gateway_client) == before, call
    iam.create_user(UserName="kept")
    s3.put_object(Bucket="kept", Key="small", Body=b"kept" * 1000)
    gateway_client.restart()
    assert users(gateway_client) == {"ana", "kept"}
    assert s3.get_object(Bucket="kept", Key="small")["Body"].read() == b"kept" * 1000


def test_a_defect_in_the_middle_of_a_change_leaves_the_state_before_it(gateway_client, monkeypatch):
    from moto.iam.models import IAMBackend

    stock = IAMBackend.create_user

    def break_after(self, *arguments, **options):
        stock(self, *arguments, **options)
        raise RuntimeError("a defect of moto")

    monkeypatch.setattr(IAMBackend, "create_user", break_after)
    # What moto did not mean to raise is taken for a request that it could not read.
    assert refusal(gateway_client.client("iam").create_user, UserName="half") == "InvalidInput"
    monkeypatch.undo()
    assert users(gateway_client) == set()
    gateway_client.restart()
    assert users(gateway_client) == set()


def test_two_sandboxes_in_one_process_do_not_mix(gateway_client, tmp_path_factory):
    other = GatewayClient(tmp_path_factory.mktemp("other"), seed=1)
    gateway_client.client("iam").create_user(UserName="here")
    other.client("iam").create_user(UserName="there")
    assert users(gateway_client) == {"here"}
    assert users(other) == {"there"}
    assert gateway_client.double.account_ids() != other.double.account_ids()
    other.store.close()


def states(client) -> dict[str, bytes]:
    with client.store.transaction() as connection:
        return {row["service"]: row["state"] for row in connection.execute("SELECT * FROM double_state")}


def iam_of(client) -> bytes:
    return b"".join(state for name, state in states(client).items() if name.startswith("iam"))


def test_a_role_in_one_account_writes_that_account_alone_and_survives(gateway_client):
    """Each role of 1,500 assignments wrote the roles of all accounts: the square of their number."""
    double = gateway_client.double
    first, second = sorted(gateway_client.member_account_ids().values())[:2]
    saml = "arn:aws:iam::{}:saml-provider/AWSSSO_x_DO_NOT_DELETE"
    about = {"path": "/aws-reserved/", "description": "", "max_session_duration_s": 43_200}
    for account_id, name in ((first, "one"), (second, "two"), (first, "three"), (second, "four")):
        before = states(gateway_client)
        double.put_reserved_role(
            account_id, role_name=f"AWSReservedSSO_{name}", saml_provider_arn=saml.format(account_id), **about
        )
        after = states(gateway_client)
        changed = {row for row in after if after[row] != before.get(row)} - {"administrator"}
        assert changed == {f"iam account {account_id}"}
    double.delete_reserved_role(first, "AWSReservedSSO_one")
    gateway_client.restart()
    assert gateway_client.double.list_reserved_roles(first) == ["AWSReservedSSO_three"]
    assert gateway_client.double.list_reserved_roles(second) == ["AWSReservedSSO_four", "AWSReservedSSO_two"]
    gateway_client.client("organizations").create_account(AccountName="new", Email="new@example.com")
    assert [row for row in states(gateway_client) if row.startswith("iam")] == ["iam"], "all in one again"
    gateway_client.restart()
    assert gateway_client.double.list_reserved_roles(first) == ["AWSReservedSSO_three"]


def test_a_small_write_does_not_write_large_objects_again_and_deleted_ones_go(gateway_client):
    s3 = gateway_client.client("s3")
    s3.create_bucket(Bucket="kept")
    large = os.urandom(1_000_000)
    s3.put_object(Bucket="kept", Key="large", Body=large)
    s3.put_object(Bucket="kept", Key="twin", Body=large)
    bodies = {name for name in states(gateway_client) if name.startswith("s3 object")}
    assert len(bodies) == 1
    assert len(states(gateway_client)["s3"]) < 20_000
    s3.put_object(Bucket="kept", Key="small", Body=b"s")
    s3.delete_object(Bucket="kept", Key="twin")
    assert {name for name in states(gateway_client) if name.startswith("s3 object")} == bodies
    gateway_client.restart()
    assert s3.get_object(Bucket="kept", Key="large")["Body"].read() == large
    s3.delete_object(Bucket="kept", Key="large")
    assert not [name for name in states(gateway_client) if name.startswith("s3 object")]


def test_aws_policies_are_not_written_out(gateway_client):
    gateway_client.client("iam").list_policies()  # makes all of them in memory
    gateway_client.client("iam").create_user(UserName="ana")
    assert max(len(state) for state in states(gateway_client).values()) < 20_000


def test_reading_writes_nothing(gateway_client):
    fill(gateway_client)
    before = states(gateway_client)
    everything(gateway_client)
    assert states(gateway_client) == before


def test_sessions_that_expired_long_ago_are_dropped(gateway_client):
    account_id = gateway_client.member_account_ids()["Development"]
    old = gateway_client.credentials(account_id)
    gateway_client.advance_clock(8 * 86_400)
    gateway_client.credentials(account_id)
    sts = gateway_client.client("sts", credentials=old)
    assert refusal(sts.get_caller_identity) == "InvalidClientTokenId"
    assert old["aws_access_key_id"].encode() not in states(gateway_client)["sts"]
    assert old["aws_access_key_id"].encode() not in iam_of(gateway_client)


def test_a_state_of_another_moto_is_refused_with_a_remedy(gateway_client):
    with gateway_client.store.transaction() as connection:
        connection.execute("UPDATE double_state SET moto_version = '4.0.0' WHERE service = 'iam'")
    with pytest.raises(
        SandboxStartError, match=r"moto '4\.0\.0'.*pip install moto==4\.0\.0.*idc sandbox reset"
    ):
        gateway_client.restart()


class Malicious:
    def __reduce__(self):
        return os.system, ("touch should-not-exist",)


def by_name(module: str, name: str, argument: str) -> bytes:
    """Return a pickle that calls a function by its name."""
    return (
        b"\x80\x04"
        + b"\x8c"
        + bytes([len(module)])
        + module.encode()
        + b"\x8c"
        + bytes([len(name)])
        + name.encode()
        + b"\x93"
        + b"\x8c"
        + bytes([len(argument)])
        + argument.encode()
        + b"\x85R."
    )


@pytest.mark.parametrize(
    "state",
    [
        pickle.dumps(Malicious()),
        by_name("os", "system", "touch should-not-exist"),
        by_name("moto.iam.models", "os.system", "touch should-not-exist"),
        by_name("moto.s3.models", "reload", "moto"),
        by_name("builtins", "eval", "open('should-not-exist', 'w')"),
        by_name("idc_sandbox.aws_double.moto_settings", "json", "x"),
        b"not a pickle",
        b"",
    ],
)
def test_a_state_that_was_tampered_with_runs_nothing(gateway_client, state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with gateway_client.store.transaction() as connection:
        connection.execute("UPDATE double_state SET state = ? WHERE service = 'iam'", (state,))
    with pytest.raises(SandboxStartError, match="cannot be read"):
        gateway_client.restart()
    assert not (tmp_path / "should-not-exist").exists()


def test_what_could_not_be_read_again_is_not_written(gateway_client):
    from moto.iam.models import iam_backends

    iam = gateway_client.client("iam")
    iam.create_user(UserName="before")
    for strange in (os.system, io.StringIO(), Store, lambda: None):
        iam_backends["111122223333"]["aws"].strange = strange
        assert refusal(iam.create_user, UserName="refused") == "InternalFailure"
        assert users(gateway_client) == {"before"}
    iam.create_user(UserName="after")
    gateway_client.restart()
    assert users(gateway_client) == {"before", "after"}


def test_an_object_whose_bytes_are_missing_stops_the_start(gateway_client):
    fill(gateway_client)
    with gateway_client.store.transaction() as connection:
        connection.execute("DELETE FROM double_state WHERE service GLOB 's3 object *'")
    with pytest.raises(SandboxStartError, match="are missing"):
        gateway_client.restart()


def test_a_double_in_a_new_store_starts_empty_whatever_ran_before(gateway_client, tmp_path_factory):
    fill(gateway_client)
    store = Store(tmp_path_factory.mktemp("new") / "sandbox.db", seed=3)
    double = AwsDouble(store)
    assert len(double.account_ids()) == 5
    assert double.delegated_administrators("sso.amazonaws.com") == set()
    store.close()
