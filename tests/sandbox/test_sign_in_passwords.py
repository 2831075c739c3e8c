"""Passwords: the rules of the directory, no reuse, one-time passwords, and no word about who exists."""

from __future__ import annotations

import pytest
from argon2 import Type, extract_parameters
from front_door_harness import PASSWORD

from idc_sandbox.sign_in import passwords


@pytest.mark.parametrize(
    "password",
    ["Abcdef1!", "Aa1 " + "x" * 60, "Größe-8-Äpfel", "ПарольДлинный1!", "Aa1!日本語です"],
)
def test_a_password_that_keeps_the_rules_is_taken(door, password):
    user_id = door.add_person(password=None)
    door.do(passwords.set_password, user_id, password)
    assert door.do(passwords.verify_password, user_id, password)
    assert not door.do(passwords.verify_password, user_id, password + "x")
    assert not door.do(passwords.verify_password, user_id, password.swapcase())


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("Abcde1!", "8 to 64 characters, and has 7"),
        ("Aa1!" + "x" * 61, "8 to 64 characters, and has 65"),
        ("Aa1!" + "x" * 100_000, "8 to 64 characters, and has 100004"),
        ("ABCDEF1!", "lowercase"),
        ("abcdef1!", "uppercase"),
        ("Abcdefg!", "digit"),
        ("Abcdefg1", "symbol"),
        ("Abcdef1!\x00", "control"),
        ("Abcdef1!\ud800", "control"),
    ],
)
def test_what_a_password_lacks_is_said_and_nothing_changes(door, password, word):
    user_id = door.add_person()
    refusal = door.refusal(passwords.set_password, user_id, password)
    assert refusal.code == "password-rules"
    assert word in refusal.message
    assert password not in refusal.message
    assert door.do(passwords.verify_password, user_id, PASSWORD)
    assert not door.do(passwords.verify_password, user_id, password)


def test_the_last_three_passwords_are_refused_and_the_fourth_is_not(door):
    user_id = door.add_person(password="First-password-1")
    for password in ("Second-password-2", "Third-password-3"):
        door.do(passwords.set_password, user_id, password)
    for used in ("First-password-1", "Second-password-2", "Third-password-3"):
        assert door.refusal(passwords.set_password, user_id, used).code == "password-reused"
    door.do(passwords.set_password, user_id, "Fourth-password-4")
    door.do(passwords.set_password, user_id, "First-password-1")
    assert door.do(passwords.verify_password, user_id, "First-password-1")


def test_one_letter_typed_in_two_ways_is_one_letter(door):
    user_id = door.add_person(password="Gr\u00f6sse-Neun-9")
    assert door.do(passwords.verify_password, user_id, "Gro\u0308sse-Neun-9")


def test_a_one_time_password_must_be_replaced_by_another_and_expires(door):
    user_id = door.add_person(password=None)
    given = door.do(passwords.make_one_time_password, user_id)
    assert passwords.problems_of(given) == []
    assert door.do(passwords.verify_password, user_id, given)
    assert door.do(passwords.must_change, user_id)
    assert door.refusal(passwords.set_password, user_id, given).code == "password-reused"
    door.advance(passwords.ONE_TIME_LIFETIME_S + 1)
    assert not door.do(passwords.verify_password, user_id, given)
    door.do(passwords.set_password, user_id, PASSWORD)
    assert door.do(passwords.verify_password, user_id, PASSWORD)
    assert not door.do(passwords.must_change, user_id)


def test_nobody_without_a_password_gets_in(door):
    user_id = door.add_person(password=None)
    for given in ("", PASSWORD):
        assert not door.do(passwords.verify_password, user_id, given)
        assert not door.do(passwords.verify_password, None, given)


def test_an_unknown_user_costs_as_much_work_as_a_known_one(door, monkeypatch):
    user_id, without = door.add_person(), door.add_person("bea", password=None)
    checks = []
    hasher = type(passwords._HASHER)
    stock = hasher.verify

    def verify(self, kept, given):
        checks.append(kept.rsplit("$", 2)[0])
        return stock(self, kept, given)

    monkeypatch.setattr(hasher, "verify", verify)
    for who in (user_id, without, None):
        door.do(passwords.verify_password, who, "Wrong-password-1")
    assert len(checks) == 3
    assert len(set(checks)) == 1, "the same parameters"


def test_passwords_of_people_are_hashed_with_the_work_that_owasp_asks_for(passwords_take_less_work):
    kept = extract_parameters(passwords_take_less_work.hash(PASSWORD))
    assert kept.type is Type.ID
    assert kept.memory_cost >= 19 * 1024
    assert kept.time_cost >= 2


def test_the_state_file_holds_no_password(door):
    user_id = door.add_person()
    (row,) = door.execute("SELECT * FROM user_password WHERE user_id = ?", user_id)
    assert row["password_hash"].startswith("$argon2id$")
    assert PASSWORD not in str(tuple(row))
