"""Clients that register, and that are known again: after a restart, after a reset, never by a guess."""

from __future__ import annotations

import pytest
from portal_harness import BROWSER, DEVICE_CODE, REDIRECT_URI, Portal

from idc_sandbox import launcher
from idc_sandbox.api.oidc.authorizations import check_authorize
from idc_sandbox.api.oidc.clients import KEY_FILE_NAME
from idc_sandbox.sign_in import people
from idc_sandbox.sign_in.people import Refusal
from idc_sandbox.state_folder import StateFolder


def test_a_registration_holds_for_ninety_days_and_not_longer(portal):
    answer = portal.oidc.register_client(
        clientName="tests", clientType="public", scopes=["sso:account:access"]
    )
    assert answer["clientSecretExpiresAt"] - answer["clientIdIssuedAt"] == 90 * 86_400
    client = {name: answer[name] for name in ("clientId", "clientSecret")}
    portal.clients.advance_clock(90 * 86_400 - 60)
    portal.start(client)
    portal.clients.advance_clock(61)
    with pytest.raises(portal.oidc.exceptions.InvalidClientException, match="expired"):
        portal.start(client)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"clientType": "confidential"}, "InvalidClientMetadataException"),
        ({"clientName": ""}, "InvalidClientMetadataException"),
        ({"clientName": "x" * 257}, "InvalidClientMetadataException"),
        ({"clientName": "\x00\x07"}, "InvalidClientMetadataException"),
        ({"scopes": ["everything"]}, "InvalidScopeException"),
        ({"scopes": ["sso:account:access "]}, "InvalidScopeException"),
        ({"grantTypes": ["password"]}, "UnsupportedGrantTypeException"),
        ({"grantTypes": ["authorization_code"]}, "InvalidRedirectUriException"),
        *(
            ({"redirectUris": [uri]}, "InvalidRedirectUriException")
            for uri in (
                "https://evil.example/oauth/callback",
                "http://127.0.0.1.evil.example/oauth/callback",
                "http://127.0.0.1@evil.example/oauth/callback",
                "http://127.0.0.1/other",
                "javascript:alert(1)",
            )
        ),
    ],
)
def test_a_registration_that_is_not_right_is_refused(portal, options, name):
    with pytest.raises(portal.oidc.exceptions.ClientError) as caught:
        portal.register(**options)
    assert caught.value.response["Error"]["Code"] == name


@pytest.mark.parametrize("name", ["Ünïcødé 日本", "x" * 256])
def test_names_of_any_script_are_taken(portal, name):
    portal.start(portal.register(clientName=name))


def test_a_client_needs_its_own_unchanged_secret(portal):
    one, other = portal.register(), portal.register()
    payload, signature = one["clientSecret"].split(".")
    for secret in (
        other["clientSecret"],
        f"{payload}.{signature[::-1]}",
        f"A{payload}.{signature}",
        "",
        "ü",
        ".",
    ):
        with pytest.raises(portal.oidc.exceptions.InvalidClientException):
            portal.start({"clientId": one["clientId"], "clientSecret": secret})
    portal.start(one)


def test_a_client_does_only_what_it_registered_for(portal):
    client = portal.register(grantTypes=["authorization_code"], redirectUris=[REDIRECT_URI])
    with pytest.raises(portal.oidc.exceptions.ClientError):
        portal.start(client)
    with pytest.raises(portal.oidc.exceptions.UnsupportedGrantTypeException):
        portal.oidc.create_token(**client, grantType=DEVICE_CODE, deviceCode="x")


def test_a_restart_keeps_registrations(portal):
    client = portal.register()
    portal.clients.restart()
    portal.start(client)


def test_a_registration_of_before_a_reset_is_accepted(tmp_path):
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    before = Portal(folder.path)
    client = before.register(
        clientName="AWS CLI",
        grantTypes=["authorization_code", "refresh_token", DEVICE_CODE],
        redirectUris=["http://127.0.0.1/oauth/callback"],
    )
    before.clients.store.close()
    assert "sandbox.db" in folder.delete_files()
    assert (folder.path / KEY_FILE_NAME).stat().st_mode & 0o777 == 0o600
    folder.prepare()
    after = Portal(folder.path)
    started = after.start(client)
    from idc_sandbox.api.oidc import authorizations

    after.do(authorizations.approve_device, started["userCode"], after.sign_in())
    assert after.poll(client, started["deviceCode"])["accessToken"]
    assert after.code(client)
    after.clients.store.close()


def test_another_sandboxs_registration_is_not(tmp_path):
    clients = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        clients.append(Portal(tmp_path / name))
    registered = clients[0].register()
    with pytest.raises(clients[1].oidc.exceptions.InvalidClientException):
        clients[1].start(registered)
    for one in clients:
        one.clients.store.close()


def test_a_reset_keeps_who_registered_so_that_people_are_asked_by_name(tmp_path):
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    before = Portal(folder.path)
    client = before.register(clientName="AWS CLI", **BROWSER)
    before.clients.store.close()
    launcher.reset(folder)
    after = Portal(folder.path)
    request = after.do(check_authorize, after.authorize_parameters(client["clientId"]))
    assert request.client_name == "AWS CLI"
    after.clients.store.close()


def test_many_who_register_push_out_those_that_nobody_allowed(portal, monkeypatch):
    monkeypatch.setattr(people, "MOST_ROWS", 5)
    allowed = portal.log_in()
    forgotten = portal.register(**BROWSER)
    for _ in range(8):
        portal.start(portal.register(**BROWSER | {"grantTypes": [DEVICE_CODE]}))
    for table, most in (("oidc_client", 6), ("device_authorization", 5)):
        with portal.clients.store.transaction() as connection:
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == most
    assert portal.refresh(allowed)["accessToken"]
    with pytest.raises(Refusal, match="not registered"):
        portal.do(check_authorize, portal.authorize_parameters(forgotten["clientId"]))


def test_a_damaged_state_is_reset_without_them(tmp_path):
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    folder.database.write_bytes(b"noise" * 5000)
    launcher.reset(folder)
    assert launcher.state_seed(folder) == 0
