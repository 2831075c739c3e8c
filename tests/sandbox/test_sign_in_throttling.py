"""Failed sign-ins slow down the next ones, by name and by client, and lock nobody out for good."""

from __future__ import annotations

from front_door_harness import PASSWORD

from idc_sandbox.sign_in import flow, passwords, people

WRONG = "Wrong-password-1"


def fail(door, times, *, user_name="ana", client="10.0.0.1"):
    sign_in_id = door.begin(user_name, client=client)
    for _ in range(times):
        assert door.take("password", sign_in_id, password=WRONG).is_error
    return sign_in_id


def test_after_five_failures_even_the_right_password_waits(door):
    door.add_person()
    sign_in_id = fail(door, 5)
    waiting = door.take("password", sign_in_id, password=PASSWORD)
    assert (waiting.page, waiting.is_error) == ("password", True)
    assert 0 < waiting.retry_after_s <= 1
    assert "Wait 1 second," in waiting.message
    door.advance(1.1)
    assert door.take("password", sign_in_id, password=PASSWORD).page == "register-device"


def test_four_failures_do_not_wait(door):
    door.add_person()
    assert door.take("password", fail(door, 4), password=PASSWORD).page == "register-device"


def test_the_wait_doubles_up_to_fifteen_minutes(door):
    door.add_person()
    waits = []
    for number in range(17):
        with door.context() as context:
            passwords.note_failure(context, "ana", f"client-{number}")
            waits.append(passwords.waiting_s(context, "ANA", "another"))
    assert all(wait == 0 for wait in waits[:4])
    for number, wait in enumerate(waits[4:]):
        longest = min(2.0**number, 900)
        assert longest - 0.5 < wait <= longest
    door.advance(901)
    assert door.enter_password(client="another")[1].page == "register-device"


def test_who_fails_waits_and_neighbours_on_the_same_machine_do_not(door):
    door.add_person()
    door.add_person("ben")
    waiting = fail(door, 6)
    assert door.take("password", waiting, password=PASSWORD).retry_after_s > 0
    assert door.enter_password("ben", client="10.0.0.1")[1].page == "register-device"


def test_a_name_that_nobody_has_waits_as_well(door):
    door.add_person()
    unknown = fail(door, 5, user_name="nobody", client="10.0.0.2")
    known = fail(door, 5)
    answers = [door.take("password", one, password=PASSWORD) for one in (known, unknown)]
    assert answers[0].message == answers[1].message
    assert all(one.retry_after_s > 0 for one in answers)


def test_one_client_that_tries_many_names_waits_and_others_do_not(door):
    door.add_person()
    for number in range(passwords.FREE_FAILURES_OF_CLIENT):
        assert door.enter_password(client="10.0.0.9")[1].retry_after_s == 0
        fail(door, 1, user_name=f"name-{number}", client="10.0.0.9")
    assert 0 < door.enter_password(client="10.0.0.9")[1].retry_after_s <= 1
    for number in range(20):
        with door.context() as context:
            passwords.note_failure(context, f"another-{number}", "10.0.0.9")
    assert door.enter_password(client="10.0.0.9")[1].retry_after_s <= passwords.LONGEST_WAIT_OF_CLIENT_S
    assert door.enter_password(client="10.0.0.1")[1].page == "register-device"


def test_what_is_refused_while_waiting_is_not_counted(door):
    door.add_person()
    sign_in_id = fail(door, 5)
    for _ in range(10):
        assert door.take("password", sign_in_id, password=WRONG).retry_after_s <= 1


def test_a_success_and_an_hour_wipe_the_slate_clean(door):
    door.add_person()
    door.set_mfa(prompt="never")
    sign_in_id = fail(door, 4)
    assert door.take("password", sign_in_id, password=PASSWORD).page == "signed-in"
    assert door.take("password", fail(door, 4), password=PASSWORD).page == "signed-in"
    sign_in_id = fail(door, 4)
    door.advance(3_601)
    sign_in_id = fail(door, 4)
    assert door.take("password", sign_in_id, password=PASSWORD).page == "signed-in"


def test_failures_survive_a_restart_and_hold_no_typed_name(door):
    door.add_person()
    fail(door, 5, user_name="My-password-typed-here-1")
    door.reopen()
    assert door.enter_password("My-password-typed-here-1", client="10.0.0.7")[1].retry_after_s > 0
    assert "password" not in str([tuple(row) for row in door.execute("SELECT * FROM sign_in_failure")])


def test_many_sign_ins_and_mailed_codes_leave_no_more_than_the_newest(door, monkeypatch):
    monkeypatch.setattr(people, "MOST_ROWS", 5)
    door.console("PUT", "settings/standard_authentication", send_email_otp=True)
    user_id = door.add_person(password=None)
    with door.context() as context:
        people.send(context, people.person_of(context, user_id), "invitation", link="/kept")
    for _ in range(12):
        sign_in_id = door.begin("ana")
    assert door.do(flow.look, sign_in_id).page == "first-one-time-password"
    with door.context() as context:
        sent = [message.kind for message in people.list_messages(context, "ana@example.com")]
        begun = context.connection.execute("SELECT count(*) FROM sign_in").fetchone()[0]
    assert (sent.count("one-time-password"), begun) == (5, 5)
    assert "invitation" in sent
