"""Keys of links: each opens one thing, once, for ten minutes."""

from __future__ import annotations

from idc_sandbox.pages import front_door
from idc_sandbox.pages.front_door import LIFETIME_S, OneTimeLinks


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_redeemed_once():
    links = OneTimeLinks()
    key = links.promise("mailbox", "ana@example.com")
    assert links.redeem("mailbox", key) == "ana@example.com"
    assert links.redeem("mailbox", key) is None


def test_a_key_for_something_else_opens_nothing_and_stays_good():
    links = OneTimeLinks()
    key = links.promise("mailbox", "*")
    assert links.redeem("settings", key) is None
    assert links.redeem("mailbox", key) == "*"


def test_a_key_ends_after_its_time():
    clock = Clock()
    links = OneTimeLinks(clock)
    early, late = links.promise("mailbox", "*"), links.promise("mailbox", "*")
    clock.now = LIFETIME_S - 0.5
    assert links.redeem("mailbox", early) == "*"
    clock.now = LIFETIME_S + 0.5
    assert links.redeem("mailbox", late) is None


def test_what_is_no_key_opens_nothing():
    links = OneTimeLinks()
    links.promise("mailbox", "*")
    for key in ("", "invented", "é", "\ud800", "x" * 100_000):
        assert links.redeem("mailbox", key) is None


def test_too_many_keys_end_the_oldest(monkeypatch):
    monkeypatch.setattr(front_door, "MOST_LINKS", 3)
    links = OneTimeLinks()
    keys = [links.promise("mailbox", str(number)) for number in range(4)]
    assert [links.redeem("mailbox", key) for key in keys] == [None, "1", "2", "3"]


def test_keys_do_not_show_themselves():
    links = OneTimeLinks()
    assert links.promise("mailbox", "*") not in repr(links)
