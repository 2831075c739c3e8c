"""What the administrator asks first is answered before moto is there, and never differently."""

import gc
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError
from patience import PATIENCE_S
from sandbox_clients import GatewayClient
from test_server import signed

from idc_sandbox.aws_double.lazy_moto import LazyMoto, _import_double
from idc_sandbox.errors import FORM_CONTENT_TYPE, SandboxStartError
from idc_sandbox.gateway import Gateway
from idc_sandbox.store import Store


def refusal(call, **request):
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"]


class EarlyClient(GatewayClient):
    """A gateway whose double is the early one, as in the server."""

    def _open(self) -> None:
        self.store = Store(self.path, seed=self.seed)
        self.double: Any = LazyMoto(self.store)
        self.gateway = Gateway(self.store, self.double)

    @property
    def has_moto(self) -> bool:
        """Whether something had to load it."""
        return self.double._double is not None


@pytest.fixture
def early(tmp_path):
    client = EarlyClient(tmp_path)
    yield client
    client.store.close()


def test_a_new_sandbox_answers_its_administrator_without_moto(early):
    assert early.client("sso-admin").list_instances()["Instances"] == []
    identity = early.client("sts").get_caller_identity()
    assert not early.has_moto
    early.double.load()
    known = ("UserId", "Account", "Arn")
    later = early.client("sts").get_caller_identity()
    assert [later[name] for name in known] == [identity[name] for name in known]
    assert early.client("sso-admin").list_instances()["Instances"] == []


def test_nobody_stands_still_while_moto_is_loaded(early):
    form = {"Content-Type": FORM_CONTENT_TYPE}
    users = signed(early.gateway, "iam", "Action=ListUsers&Version=2010-05-08", form)
    assert early.gateway.handle_at_once(users) is None
    assert not early.has_moto
    early.double.load()
    answer = early.gateway.handle_at_once(users)
    assert answer is not None
    assert answer.status == 200


def test_neither_moto_nor_botocore_is_imported_before_they_are_needed(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from idc_sandbox import server; from idc_sandbox.store import Store\n"
        "double = server.LazyMoto(Store(Path(sys.argv[1]) / 'sandbox.db'))\n"
        "server.Gateway(double.store, double); double.administrator_credentials()\n"
        "print([name for name in ('moto', 'boto3', 'botocore', 'regex', 'webauthn', 'argon2', 'jinja2')"
        " if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_another_key_and_a_wrong_secret_are_refused_as_ever(early):
    key, secret = early.administrator_key()
    for credentials in ((key, "x" * 40), ("AKIAXXXXXXXXXXXXXXXX", secret)):
        wrong = {"aws_access_key_id": credentials[0], "aws_secret_access_key": credentials[1]}
        client = early.client("sso-admin", credentials=wrong)
        assert refusal(client.list_instances) in ("InvalidSignatureException", "UnrecognizedClientException")


def test_the_ids_are_those_of_a_double_that_had_moto_at_once(early, tmp_path_factory):
    at_once = GatewayClient(tmp_path_factory.mktemp("at_once"))
    early.client("sso-admin").list_instances()
    assert early.member_account_ids() == at_once.member_account_ids()
    assert early.administrator_key()[0] == at_once.administrator_key()[0]
    assert early.administrator_key()[1] != at_once.administrator_key()[1]
    at_once.store.close()


def test_a_state_that_was_stopped_before_moto_came_goes_on_with_the_same_key(early):
    key = early.administrator_key()
    early.restart()
    assert early.administrator_key() == key
    assert len(early.member_account_ids()) == 5
    assert early.has_moto
    early.restart()
    assert early.administrator_key() == key
    early.client("sts").get_caller_identity()
    assert not early.has_moto


def test_a_deactivated_key_is_refused_after_a_restart_too(early):
    key, _ = early.administrator_key()
    iam = early.client("iam")
    other = iam.create_access_key(UserName="sandbox-administrator")["AccessKey"]
    sso_admin = early.client("sso-admin")
    iam.update_access_key(UserName="sandbox-administrator", AccessKeyId=key, Status="Inactive")
    early.restart()
    assert refusal(sso_admin.list_instances) == "UnrecognizedClientException"
    second = {"aws_access_key_id": other["AccessKeyId"], "aws_secret_access_key": other["SecretAccessKey"]}
    assert early.client("sso-admin", credentials=second).list_instances()["Instances"] == []


def test_what_a_policy_takes_from_the_administrator_is_taken_early_as_well(early):
    iam = early.client("iam")
    deny = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sso:*", "Resource": "*"}]}'
    iam.put_user_policy(UserName="sandbox-administrator", PolicyName="less", PolicyDocument=deny)
    sso_admin = early.client("sso-admin")
    early.restart()
    assert refusal(sso_admin.list_instances) == "AccessDeniedException"
    assert not early.has_moto


def test_a_first_transaction_that_is_rolled_back_leaves_nothing_half_made(early):
    def in_vain():
        with early.store.transaction():
            assert len(early.double.account_ids()) == 5
            raise InterruptedError

    with pytest.raises(InterruptedError):
        in_vain()
    accounts = early.member_account_ids()
    assert len(accounts) == 5
    early.restart()
    assert early.member_account_ids() == accounts


def test_a_state_of_another_moto_stops_the_start(early):
    early.double.load()
    with early.store.transaction() as connection:
        connection.execute("UPDATE double_state SET moto_version = '1.0'")
    with pytest.raises(SandboxStartError, match=r"written by moto '1\.0'"):
        early.restart()


def test_a_state_that_cannot_be_read_after_all_ends_the_sandbox_with_the_reason(early):
    early.double.load()
    with early.store.transaction() as connection:
        connection.execute("UPDATE double_state SET state = ? WHERE service = 'iam'", (b"damaged",))
    early.restart()
    reasons: list[str] = []
    early.double.load_in_background(after_s=0.0, when_impossible=reasons.append).join(timeout=PATIENCE_S)
    assert "the state of 'iam' in the state file cannot be read" in reasons[0]


def test_what_else_is_prepared_comes_after_moto(early):
    loaded = []
    thread = early.double.load_in_background(
        after_s=0.0, when_impossible=loaded.append, then=lambda: loaded.append(early.double._double)
    )
    thread.join(timeout=PATIENCE_S)
    assert loaded == [early.double._double]
    assert loaded[0] is not None


def test_what_is_written_to_s3_says_of_the_administrator_what_was_so_before(early):
    s3 = early.client("s3")
    s3.create_bucket(Bucket="objects")
    s3.put_object(Bucket="objects", Key="small", Body=b"x")
    early.restart()
    early.client("sts").get_caller_identity()
    assert not early.has_moto
    assert early.client("s3").get_object(Bucket="objects", Key="small")["Body"].read() == b"x"


def test_the_garbage_collector_does_not_look_at_what_was_imported_for_moto():
    double = _import_double()
    try:
        assert gc.isenabled()
        assert not any(one is double for one in gc.get_objects())
    finally:
        gc.unfreeze()
