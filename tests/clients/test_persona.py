"""The scripted person at the pages: what a person can do there, and what the pages refuse."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def mary(house):
    return house.active_person("mary.major")


def test_sign_in_registers_an_app(house, mary):
    devices = house.control("GET", f"console/users/{house.user_id('mary.major')}/mfa-devices")["mfa_devices"]
    assert [device["kind"] for device in devices] == ["totp"]
    assert mary.portal()
