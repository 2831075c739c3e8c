import os
import re
import subprocess
import sys

import pytest
from botocore.exceptions import EndpointConnectionError, UnauthorizedSSOTokenError
from stub_transport import ACCOUNT_ID, INSTANCE_ARN, Refusal

from idc_aws.connection import connect, connect_to_sandbox, require_apply_allowed
from idc_aws.errors import (
    CredentialsError,
    InvalidValueError,
    LeftSandboxError,
    SandboxError,
    TargetError,
    ThrottledError,
    WrongAccountError,
)
from idc_aws.sandbox import SandboxAddress


@pytest.fixture
def sandbox_address(monkeypatch):
    address = SandboxAddress(
        "http://127.0.0.1:9",
        9,
        1,
        "/nowhere",
        "us-east-1",
        ACCOUNT_ID,
        "AKIASANDBOX",
        "secret",
        "control",
        "now",
        "state",
    )
    monkeypatch.setattr("idc_aws.connection.start_sandbox", lambda _state_folder, **_options: address)
    return address


def test_one_readable_line(connection):
    assert str(connection) == f"aws · account {ACCOUNT_ID} (Management) · Admin/ana · Region us-east-1"


def test_the_account_has_no_name_where_nobody_may_tell(transport):
    transport.on("DescribeAccount", Refusal("AccessDeniedException"))
    assert str(connect(target="aws")) == f"aws · account {ACCOUNT_ID} · Admin/ana · Region us-east-1"


def test_an_overridden_endpoint_is_said(transport, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert str(connect(target="aws")).endswith("endpoint overridden: http://127.0.0.1:4566, not AWS")


@pytest.mark.parametrize("region", ["europe", "us-east-1a"])
def test_a_region_that_is_none_is_refused_before_any_call(transport, region):
    with pytest.raises(InvalidValueError):
        connect(target="aws", region=region)
    assert transport.calls == []


def test_an_unknown_profile_offers_the_known_ones(transport, tmp_path):
    (tmp_path / "config").write_text("[profile practice]\nregion = us-east-1\n")
    with pytest.raises(CredentialsError, match=r"'practise' is not in .*Did you mean 'practice'"):
        connect(target="aws", profile="practise")


def test_an_expired_session_says_how_to_sign_in_again(transport, tmp_path):
    (tmp_path / "config").write_text("[profile practice]\n[default]\n")
    (tmp_path / "credentials").write_text("[practice]\naws_access_key_id=ASIA1\naws_secret_access_key=x\n")
    transport.on("GetCallerIdentity", UnauthorizedSSOTokenError())
    with pytest.raises(CredentialsError, match="aws sso login --profile practice"):
        connect(target="aws", profile="practice")


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_refused_credentials(transport, code):
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
    refusal = Refusal(code, status=403)
    refusal.body = f"<ErrorResponse>{error}</ErrorResponse>"
    transport.on("GetCallerIdentity", refusal)
    with pytest.raises(CredentialsError, match="set new ones, or unset them"):
        connect(target="aws")


def test_credentials_are_read_anew_by_each_connect(transport, monkeypatch):
    connect(target="aws")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECONDKEY")
    key = connect(target="aws").client("sts")._request_signer._credentials.access_key
    assert key == "AKIASECONDKEY"


def test_aws_that_cannot_be_reached(transport):
    transport.on(
        "GetCallerIdentity", EndpointConnectionError(endpoint_url="https://sts.nowhere-1.amazonaws.com/")
    )
    with pytest.raises(TargetError, match=r"does not answer in Region 'us-east-1'") as raised:
        connect(target="aws")
    assert not isinstance(raised.value, CredentialsError)


def test_throttling_is_retried_and_then_told(transport, connection):
    transport.on("ListPermissionSets", Refusal("ThrottlingException", "Rate exceeded"))
    with pytest.raises(ThrottledError, match="Rate exceeded"):
        connection.client("sso-admin").list_permission_sets(InstanceArn=INSTANCE_ARN)
    assert len(transport.made("ListPermissionSets")) == 8


def test_throttling_that_ends_is_not_noticed(transport, connection):
    transport.on("ListPermissionSets", *[Refusal("ThrottlingException")] * 7, {"PermissionSets": ["x"]})
    answer = connection.client("sso-admin").list_permission_sets(InstanceArn=INSTANCE_ARN)
    assert answer["PermissionSets"] == ["x"]


def test_apply_needs_the_expected_account(connection):
    require_apply_allowed(connection, ACCOUNT_ID)
    with pytest.raises(WrongAccountError, match=f"caller is in account '{ACCOUNT_ID}'"):
        require_apply_allowed(connection, None)
    with pytest.raises(WrongAccountError, match=f"expect account '999900001111'.*'{ACCOUNT_ID}'"):
        require_apply_allowed(connection, "999900001111")
    with pytest.raises(InvalidValueError):
        require_apply_allowed(connection, 999900001111)


def test_the_sandbox_needs_no_expected_account(transport, sandbox_address):
    require_apply_allowed(connect(), None)


def poison(monkeypatch, tmp_path):
    """Make every way out of the sandbox that a configuration offers lead to an error or to another host."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name)
    aws = tmp_path / ".aws"
    (aws / "models" / "sts" / "2011-06-15").mkdir(parents=True)
    (aws / "models" / "sts" / "2011-06-15" / "service-2.json").write_text("poison")
    for name in ("config", "credentials"):
        (aws / name).write_text("poison that no parser reads")
    variables = {
        "AWS_PROFILE": "nonsense",
        "AWS_DEFAULT_PROFILE": "nonsense",
        "AWS_ENDPOINT_URL": "https://evil.example.com",
        "AWS_ENDPOINT_URL_STS": "https://evil.example.com",
        "AWS_ACCESS_KEY_ID": "AKIAREALKEYOFTHEUSER",
        "AWS_SESSION_TOKEN": "real",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_DEFAULTS_MODE": "auto",
        "AWS_CA_BUNDLE": str(aws / "no-such-file"),
        "HTTP_PROXY": "http://proxy.example.com:3128",
        "http_proxy": "http://proxy.example.com:3128",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_the_sandbox_ignores_the_users_aws_configuration(transport, sandbox_address, monkeypatch, tmp_path):
    poison(monkeypatch, tmp_path)
    seen = []
    monkeypatch.setattr(
        "botocore.httpsession.URLLib3Session.send",
        lambda session, request: seen.append((session, request)) or transport.send(request),
    )
    connection = connect()
    connection.client("sso-admin").list_instances()
    assert set(transport.hosts) == {"127.0.0.1"}
    for session, request in seen:
        assert session._proxy_config.proxy_url_for(request.url) is None
        assert b"AKIASANDBOX/" in request.headers["Authorization"]
        assert "X-Amz-Security-Token" not in request.headers


def test_the_poison_works(transport, monkeypatch, tmp_path):
    poison(monkeypatch, tmp_path)
    with pytest.raises(Exception, match=r"(?i)parse|poison|nonsense|model"):
        connect(target="aws")


def test_no_file_of_the_users_aws_folder_is_opened(transport, sandbox_address, monkeypatch, tmp_path):
    poison(monkeypatch, tmp_path)
    opened = []
    real_open = open

    def spying_open(file, *arguments, **options):
        opened.append(str(file))
        return real_open(file, *arguments, **options)

    monkeypatch.setattr("builtins.open", spying_open)
    connect()
    open(__file__).close()  # noqa: PTH123 - the spied one
    assert opened[-1] == __file__  # the spy sees what is opened; botocore's own files may be known already
    assert [name for name in opened if ".aws" in name] == []


def test_a_request_to_another_host_is_not_sent(transport, sandbox_address):
    sts = connect().client("sts")
    transport.calls.clear()
    sts.meta.events.register(
        "before-sign", lambda request, **_event: setattr(request, "url", "https://sts.amazonaws.com/")
    )
    with pytest.raises(LeftSandboxError, match=re.escape("'sts.amazonaws.com'")):
        sts.get_caller_identity()
    assert transport.calls == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.example.com/", "http://10.0.0.1/", "http://localhost.example.com/"]
)
def test_hosts_that_look_like_this_machine_are_refused(transport, sandbox_address, url):
    sts = connect().client("sts")
    transport.calls.clear()
    sts.meta.events.register("before-sign", lambda request, **_event: setattr(request, "url", url))
    with pytest.raises(LeftSandboxError):
        sts.get_caller_identity()
    assert transport.calls == []


def test_a_sandbox_that_is_gone_is_told_at_once(sandbox_address, monkeypatch, clock):
    # Port 9 of this machine refuses connections; no stub here.
    monkeypatch.setattr("time.sleep", clock.sleep)
    with pytest.raises(SandboxError, match=r"127\.0\.0\.1:9 stopped answering") as raised:
        connect()
    assert "in a notebook run the second cell" in raised.value.remedy
    assert clock.slept == []


def test_the_sandbox_can_be_paced_as_aws_is(transport, sandbox_address):
    assert connect().pacing.sso_admin.rate_per_s is None
    assert connect_to_sandbox(rate_per_s=20).pacing.sso_admin.rate_per_s == 20


ODD_SETTINGS = {
    "AWS_PROFILE": "nobody",
    "AWS_RETRY_MODE": "wild",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_DEFAULTS_MODE": "wild",
    "AWS_CA_BUNDLE": "/nowhere",
    "AWS_ENDPOINT_URL": "nowhere",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "often",
    "AWS_USE_FIPS_ENDPOINT": "perhaps",
}


def test_the_users_odd_files_and_variables_stop_no_sandbox_run(tmp_path):
    """Neither the process that is preloaded for notebooks, nor the clients of the sandbox, look at them."""
    (tmp_path / "config").write_text("[default]\nregion = a\nregion = b\n")
    program = (
        "from idc_aws.clients import share_service_models as share; share();"
        "from idc_aws.clients import session_without_files as make;"
        "make().create_client('sts', 'us-east-1', endpoint_url='http://127.0.0.1:1')"
    )
    variables = os.environ | ODD_SETTINGS | {"AWS_CONFIG_FILE": str(tmp_path / "config")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
