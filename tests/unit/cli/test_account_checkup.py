import pytest

from idc_aws.permissions import required_actions
from idc_aws.sandbox import sandbox_of_its_own
from idc_runner import checkup
from idc_runner.checkup import Finding


@pytest.fixture
def no_credentials(tmp_path, monkeypatch):
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandbox_of_its_own(tmp_path_factory.mktemp("checkup") / "sandbox") as sandbox:
        yield sandbox


@pytest.fixture
def account(no_credentials, sandbox, monkeypatch):
    """The credentials of the sandbox's administrator, found in the environment like anybody's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", sandbox.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sandbox.secret_access_key)
    return sandbox.account_id


def by_subject(**options):
    return {finding.subject: finding for finding in checkup.account_findings(**options)}


def test_without_credentials_one_line_says_that_the_sandbox_needs_none(no_credentials):
    [finding] = checkup.account_findings()
    assert (finding.status, finding.subject) == ("warn", "AWS credentials")
    assert "The sandbox needs none" in finding.remedy
    assert "there are no AWS credentials" in finding.detail
    assert "again" not in finding.remedy, "nobody has signed in before"


def test_an_unknown_profile_is_named(no_credentials):
    [finding] = checkup.account_findings(profile="nobody")
    assert "'nobody'" in finding.detail


def test_an_account_is_told_by_its_caller_its_instance_and_its_organization(account):
    found = by_subject(region="us-east-1")
    assert f"in account {account}" in found["AWS credentials"].detail
    assert found["Region"] == Finding("ok", "Region", "us-east-1")
    assert found["Instance"].status == "warn"
    assert "no instance is visible" in found["Instance"].detail
    assert "is the management account" in found["Organization"].detail
    assert all(finding.remedy for finding in found.values() if finding.status != "ok")


def test_an_endpoint_that_is_not_aws_is_not_taken_for_aws(account, sandbox):
    assert (
        f"at {sandbox.endpoint_url} and not AWS" in by_subject(region="us-east-1")["AWS credentials"].detail
    )


def test_no_region_is_said_with_the_one_that_is_looked_in(account):
    assert by_subject()["Region"].detail == "none was chosen; looking in us-east-1"


@pytest.mark.parametrize("answer", ["allowed", "denied", "unknown"])
def test_permissions_are_told_for_each_notebook(monkeypatch, answer):
    action = "sso:CreatePermissionSet"

    def check(_connection, actions):
        return dict.fromkeys(actions, "allowed") | {action: answer}

    monkeypatch.setattr(checkup, "check_permissions", check)
    findings = list(checkup.permission_findings(None))
    if answer == "allowed":
        assert [finding.status for finding in findings] == ["ok"]
    elif answer == "denied":
        lacking = {finding.detail.split()[0] for finding in findings}
        assert lacking == {n for n in checkup.NOTEBOOK_PERMISSIONS if action in required_actions(n)}
        assert all(action in finding.remedy for finding in findings)
    else:
        assert [finding.detail.split()[0] for finding in findings] == ["1"]
        assert "SimulatePrincipalPolicy" in findings[0].remedy


def test_the_doctor_fails_only_for_what_must_be_mended(idc, no_credentials, monkeypatch):
    assert idc("doctor").exit_code == 0
    broken = Finding("fail", "Python", "3.9", "Install a newer one.")
    monkeypatch.setattr(checkup, "python_finding", lambda *_: broken)
    done = idc("doctor")
    assert done.exit_code == 1
    assert "fail  Python: 3.9\n      → Install a newer one." in done.output
