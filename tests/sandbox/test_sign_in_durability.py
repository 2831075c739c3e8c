"""The front door of a process that is killed: links, mail and logins are there when it starts again."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest


def test_a_kill_loses_no_invitation_no_mail_and_no_login_on_its_way(fresh_sandbox):
    settings = fresh_sandbox.console("POST", "instance")
    instance = fresh_sandbox.client("sso-admin").list_instances()["Instances"][0]
    user_id = fresh_sandbox.client("identitystore").create_user(
        IdentityStoreId=instance["IdentityStoreId"],
        UserName="ana",
        DisplayName="Ana",
        Name={"GivenName": "Ana", "FamilyName": "Test"},
        Emails=[{"Value": "ana@example.com"}],
    )["UserId"]
    message = fresh_sandbox.console("POST", f"users/{user_id}/invite")["message"]
    oidc = fresh_sandbox.client("sso-oidc")
    registered = oidc.register_client(clientName="tests", clientType="public")
    client = {name: registered[name] for name in ("clientId", "clientSecret")}
    started = oidc.start_device_authorization(**client, startUrl=settings["access_portal"]["url"])
    page = urlsplit(started["verificationUri"])
    assert (page.scheme, page.netloc) == ("http", f"localhost:{fresh_sandbox.running.port}")

    fresh_sandbox.kill()
    fresh_sandbox.start()

    assert fresh_sandbox.console("GET", "mailbox")["messages"] == [message]
    oidc = fresh_sandbox.client("sso-oidc")
    with pytest.raises(oidc.exceptions.AuthorizationPendingException):
        oidc.create_token(
            **client,
            grantType="urn:ietf:params:oauth:grant-type:device_code",
            deviceCode=started["deviceCode"],
        )


def test_the_bearer_header_reaches_the_portal_over_http(sandbox):
    portal = sandbox.client("sso")
    with pytest.raises(portal.exceptions.UnauthorizedException, match="not found or invalid"):
        portal.list_accounts(accessToken="an-invented-token")
