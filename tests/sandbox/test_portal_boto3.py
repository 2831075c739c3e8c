"""boto3 with an ``sso-session`` profile, as `aws configure sso` writes it."""

from __future__ import annotations

import datetime
import hashlib
import json

import boto3
import botocore.session
import pytest
from botocore.credentials import SSOProvider
from botocore.exceptions import ClientError, TokenRetrievalError, UnauthorizedSSOTokenError
from botocore.tokens import SSOTokenProvider


class Profile:
    """A learner's ``~/.aws`` with one profile, and the token that a login left in its cache."""

    def __init__(self, portal, folder, monkeypatch):
        self.portal = portal
        self.account_id = sorted(portal.accounts.values())[-1]
        portal.assign(portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess"), self.account_id)
        cache = folder / "cache"
        cache.mkdir()
        self.token_file = cache / f"{hashlib.sha1(b'practice').hexdigest()}.json"
        config = folder / "config"
        config.write_text(
            "[profile learner]\nsso_session = practice\n"
            f"sso_account_id = {self.account_id}\nsso_role_name = ReadOnlyAccess\nregion = us-east-1\n"
            f"[sso-session practice]\nsso_start_url = {portal.start_url}\nsso_region = us-east-1\n"
            "sso_registration_scopes = sso:account:access\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_ENDPOINT_URL", portal.clients.endpoint_url)
        for provider in (SSOTokenProvider, SSOProvider):
            monkeypatch.setattr(provider, "_SSO_TOKEN_CACHE_DIR", str(cache))

    def keep(self, tokens, *, expires_in_s):
        now = datetime.datetime.now(datetime.UTC)
        registration_ends = now + datetime.timedelta(days=90)
        self.token_file.write_text(
            json.dumps(
                {
                    "startUrl": self.portal.start_url,
                    "region": "us-east-1",
                    "accessToken": tokens["accessToken"],
                    "expiresAt": f"{now + datetime.timedelta(seconds=expires_in_s):%Y-%m-%dT%H:%M:%SZ}",
                    "refreshToken": tokens["refreshToken"],
                    **tokens["client"],
                    "registrationExpiresAt": f"{registration_ends:%Y-%m-%dT%H:%M:%SZ}",
                }
            )
        )

    def cached_token(self):
        return json.loads(self.token_file.read_text())

    def client(self, service_name):
        """Return a client of the profile, in a new session, as a new process has it."""
        core = botocore.session.Session(profile="learner")
        core.register("before-send.*", self.portal.clients._answer)
        return boto3.Session(botocore_session=core).client(service_name)


@pytest.fixture
def profile(portal, tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    return Profile(portal, tmp_path / "home", monkeypatch)


def test_the_profile_resolves_to_the_role(profile):
    profile.keep(profile.portal.log_in(), expires_in_s=3600)
    identity = profile.client("sts").get_caller_identity()
    assert identity["Account"] == profile.account_id
    assert "AWSReservedSSO_ReadOnlyAccess_" in identity["Arn"]
    names = [one["Name"] for one in profile.client("s3").list_buckets()["Buckets"]]
    assert names == ["aws-cloudtrail-logs-111122223333"]  # the account of the logs has the trail's bucket
    with pytest.raises(ClientError, match="AccessDenied"):
        profile.client("s3").create_bucket(Bucket="not-for-readers")


def test_a_token_about_to_expire_is_refreshed_and_the_cache_holds_the_new_one(profile):
    tokens = profile.portal.log_in()
    profile.keep(tokens, expires_in_s=300)
    assert profile.client("sts").get_caller_identity()["Account"] == profile.account_id
    cached = profile.cached_token()
    assert cached["accessToken"] != tokens["accessToken"]
    assert cached["refreshToken"] != tokens["refreshToken"]
    assert profile.client("sts").get_caller_identity()["Account"] == profile.account_id


def test_after_a_logout_the_failure_says_that_the_session_is_over(profile):
    tokens = profile.portal.log_in()
    profile.keep(tokens, expires_in_s=3600)
    profile.portal.portal.logout(accessToken=tokens["accessToken"])
    with pytest.raises(
        UnauthorizedSSOTokenError, match="SSO session associated with this profile has expired"
    ):
        profile.client("sts").get_caller_identity()


def test_after_a_logout_nothing_is_refreshed(profile):
    tokens = profile.portal.log_in()
    profile.keep(tokens, expires_in_s=-10)
    profile.portal.portal.logout(accessToken=tokens["accessToken"])
    with pytest.raises((TokenRetrievalError, UnauthorizedSSOTokenError), match="expired"):
        profile.client("sts").get_caller_identity()
    assert profile.cached_token()["accessToken"] == tokens["accessToken"]


def test_a_new_login_makes_the_profile_work_again(profile):
    tokens = profile.portal.log_in()
    profile.portal.portal.logout(accessToken=tokens["accessToken"])
    profile.keep(profile.portal.log_in(), expires_in_s=3600)
    assert profile.client("sts").get_caller_identity()["Account"] == profile.account_id
