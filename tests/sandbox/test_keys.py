"""Keys with one purpose: nothing that a stranger is answered is a key, or makes what a key makes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re

import httpx
import pytest
from page_visitor import CONTROL_SECRET, KEYS, PORT, Place, client_of

from idc_sandbox.api.oidc.clients import registration_key
from idc_sandbox.loopback import prove
from idc_sandbox.pages.front_door import Seals
from idc_sandbox.state_folder import KEY_NAMES, StateFolder

HEX = "0123456789abcdef" * 2
# What keys have been, or could be, derived with: purposes, salts, names; and challenges of every odd form.
PURPOSES = [
    "",
    "pages",
    "csrf",
    "csrf  ",
    f"csrf {'b' * 32} ",
    "health",
    "cookie",
    "form",
    "control",
    "practice-console-cookie",
    "mailbox-cookie",
    "idc_sandbox.pages practice-console-cookie",
    "idc_sandbox.pages practice-console-cookiesigner",
    "administrator",
    "client",
    "é",
    "\x00",
    " " * 32,
    HEX.upper(),
    HEX + "0",
    HEX[1:],
    f"{HEX}\n",
    f"{PORT} {HEX}",
    *KEY_NAMES,
]


def questions(client: httpx.Client):
    """Yield the answers of everything that asks for no signature and no secret."""
    for text in [*PURPOSES, HEX]:
        for host in (f"127.0.0.1:{PORT}", f"localhost:{PORT}"):
            yield client.get("/_sandbox/health", params={"challenge": text}, headers={"host": host})
    for path in ("switches", "clock", "pages", "pages?site=local", "console/settings", "console/mailbox"):
        yield client.get(f"/_sandbox/{path}", headers={"x-sandbox-secret": "wrong"})
    names = {"clientName": "app", "clientType": "public", "scopes": ["sso:account:access"]}
    for name in ("app", *(text for text in PURPOSES if text.strip())):
        yield client.post("/client/register", json={**names, "clientName": name})
    for path in (
        "/start",
        "/start/sign-in",
        "/start/mailbox?key=pages",
        "/start/practice-console?key=pages",
        "/none",
    ):
        for browser in ("b" * 32, "x", "csrf " * 5):
            cookies = f"idc_browser={browser}; idc_session=; idc_practice-console=pages; idc_mailbox=x.y.z"
            headers = {"cookie": cookies, "host": f"localhost:{PORT}"}
            yield client.get(path, headers=headers, follow_redirects=False)
    yield client.post("/token", json={"clientId": "a", "clientSecret": "b.c", "grantType": "refresh_token"})


def answered(place: Place) -> set[bytes]:
    """Return every word that a stranger was answered, also as what it encodes."""
    client = client_of(place.application, base_url=f"http://127.0.0.1:{PORT}")
    texts = [f"{answer.headers} {answer.text}" for answer in questions(client)]
    words = {word for text in texts for word in re.findall(r"[A-Za-z0-9_+/=-]{6,}", text)}
    found = {word.encode() for word in words}
    for word in words:
        if re.fullmatch("([0-9a-f]{2})+", word):
            found.add(bytes.fromhex(word))
        try:
            found.add(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
        except ValueError:
            continue
    assert len(found) > 300
    return found


def sign(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def test_no_answer_to_a_stranger_is_a_key_or_serves_as_one(place):
    with place.gateway.store.transaction() as connection:
        registrations = registration_key(connection)
    keys = {*(key.encode() for key in KEYS.values()), registrations, registrations.hex().encode()}
    seals, browser = place.seals, "b" * 32
    token, proof = seals.csrf_token("port", browser, ""), prove(KEYS["health_key"], PORT, HEX)
    for answer in answered(place):
        assert answer not in keys
        text = answer.decode("latin-1")
        forger = Seals(text, text)
        assert forger.csrf_token("port", browser, "") != token
        assert sign(answer, f"csrf port {browser} ") != token
        forged = forger.seal("practice-console-cookie", "administrator")
        assert seals.unseal("practice-console-cookie", forged, max_age_s=60) is None
        assert text != CONTROL_SECRET
        assert sign(answer, f"{PORT} {HEX}") != proof
        assert sign(answer, "payload") != sign(registrations, "payload")


def test_no_key_follows_from_another(tmp_path):
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    secrets = folder.read_secrets()
    assert set(secrets) == set(KEY_NAMES)
    assert len(set(secrets.values())) == len(KEY_NAMES)
    for one, other in itertools.permutations(secrets.values(), 2):
        forms = {other, other.encode().hex()}
        for text in PURPOSES:
            assert not {sign(one.encode(), text), hashlib.sha256(f"{text}{one}".encode()).hexdigest()} & forms


@pytest.mark.parametrize("challenge", PURPOSES)
def test_only_challenges_of_the_fixed_form_are_answered(place, challenge):
    client = client_of(place.application, base_url=f"http://127.0.0.1:{PORT}")
    answer = client.get("/_sandbox/health", params={"challenge": challenge})
    assert (answer.status_code, answer.json()["code"]) == (400, "ValidationException")
    assert "proof" not in answer.json()


def test_a_folder_of_an_older_kit_gets_the_keys_that_it_lacks(tmp_path):
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    kept = {"control_secret": "of before", "access_key_id": "AKIA", "secret_access_key": "hush"}
    folder.write_secrets(kept)
    folder.prepare()
    secrets = folder.read_secrets()
    assert {name: secrets[name] for name in kept} == kept
    assert set(secrets) == {*kept, *KEY_NAMES}
    folder.prepare()
    assert folder.read_secrets() == secrets
    assert json.dumps(secrets).count("of before") == 1
