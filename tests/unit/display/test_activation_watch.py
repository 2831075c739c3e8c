from dataclasses import replace
from types import SimpleNamespace

import pytest

from idc_aws.signin.activation import PersonStatus
from idc_helpers.notebook import activation
from idc_helpers.notebook.activation import ActivationStep, ActivationWatch, format_steps, is_on_the_way


def person(has_password=False, device_kinds=(), session_count=0):
    return PersonStatus("ana", "1", "ana@example.com", "ENABLED", has_password, device_kinds, session_count)


ACTIVE = person(True, ("totp",), 1)


@pytest.fixture
def watched(monkeypatch):
    """Return a function that watches somebody who goes these steps, at once; it returns what was said."""

    def watch(*steps):
        said, left = [], list(steps)

        def describe(_connection, _user_name):
            step = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(step, Exception):
                raise step
            return step

        monkeypatch.setattr(activation, "describe_person", describe)
        monkeypatch.setattr(activation.time, "sleep", lambda _seconds: None)
        monkeypatch.setattr(activation.LiveLine, "say", lambda _line, words: said.append(words))
        ActivationWatch(None, "ana").start()
        return said

    return watch


def test_each_step_is_ticked_when_it_is_done():
    assert format_steps(person()).count("✔") == 1
    assert "✔ password set · … MFA device registered" in format_steps(person(True))
    assert "run the check now" in format_steps(ACTIVE)


def test_on_the_way_is_who_can_still_arrive_by_themselves():
    assert [is_on_the_way(person(True, ("totp",))), is_on_the_way(ACTIVE)] == [True, False]
    assert not is_on_the_way(replace(person(), user_status="DISABLED"))
    assert not is_on_the_way(replace(person(), session_count=None))  # on AWS no API tells


def test_a_watch_says_what_is_new_and_ends_when_the_person_has_signed_in(watched):
    said = watched(person(), person(), person(True), person(True), ACTIVE)
    assert [words.count("✔") for words in said] == [1, 1, 2, 4]


def test_a_watch_that_cannot_look_says_so(watched):
    said = watched(person(), RuntimeError("the sandbox is away"))
    assert "stopped watching (the sandbox is away)" in said[-1]


def test_a_newer_watch_of_the_same_person_ends_the_older(watched, monkeypatch):
    older = ActivationWatch(None, "ana")
    watched(ACTIVE)
    monkeypatch.setattr(activation, "describe_person", lambda *_given: pytest.fail("it still looks"))
    older._look()


def test_only_a_plan_asks_whether_the_user_is_there(monkeypatch):
    monkeypatch.setattr(activation, "describe_person", lambda *_given: ACTIVE)
    monkeypatch.setattr(activation, "find_principal_id", lambda *_given: pytest.fail("it asks"))
    context = SimpleNamespace(mode="apply", connection=SimpleNamespace(instance_or_none=lambda: True))
    assert ("signed in", "yes") in ActivationStep(context, "ana").state().rows
    context.mode = "plan"
    monkeypatch.setattr(activation, "find_principal_id", lambda *_given: None)
    assert ActivationStep(context, "ana").state().rows == ()
