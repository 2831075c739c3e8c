"""Switches: faults that come when they should, and values that cannot be."""

from __future__ import annotations

import pytest

from idc_sandbox import switches
from idc_sandbox.errors import ServiceError
from idc_sandbox.store import Store, advance_clock, clock_offset_s, reset_clock


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "sandbox.db")
    yield store
    store.close()


@pytest.fixture
def connection(store):
    with store.transaction() as connection:
        yield connection


def codes(connection, count, service="sso-admin", operation="ListInstances") -> list[str | None]:
    faults = [switches.next_fault(connection, service, operation) for _ in range(count)]
    return [fault.code if fault else None for fault in faults]


def test_defaults(connection):
    assert switches.read_switches(connection) == {
        "latency_s": 0.0,
        "asynchronous_duration_s": 0.1,
        "faults": [],
        "fail_next_assignments": [],
        "propagation_delay_s": 0.0,
        "requests_per_second": 0,
        "trail": True,
        "trail_delivery_s": 300.0,
    }
    assert not switches.read_switch(connection, "faults")


def test_every_third_call_fails(connection):
    switches.write_switches(
        connection,
        {"faults": [{"service": "sso-admin", "operation": "*", "code": "ThrottlingException", "every": 3}]},
    )
    assert switches.read_switch(connection, "faults")
    assert codes(connection, 7) == [None, None, "ThrottlingException"] * 2 + [None]
    (fault,) = switches.read_switches(connection)["faults"]
    assert (fault["calls"], fault["hits"]) == (7, 2)


def test_the_next_two_calls_fail_and_then_none(connection):
    switches.write_switches(
        connection, {"faults": [{"service": "s3", "code": "SlowDown", "next": 2, "status": 503}]}
    )
    first = switches.next_fault(connection, "s3", "PutObject")
    assert first is not None
    assert first.status == 503
    assert codes(connection, 3, "s3", "GetObject") == ["SlowDown", None, None]


def test_a_fault_keeps_to_its_service_and_operation(connection):
    switches.write_switches(
        connection,
        {"faults": [{"service": "sso-admin", "operation": "ListInstances", "code": "X", "message": "why"}]},
    )
    assert codes(connection, 1, "identitystore", "ListInstances") == [None]
    assert codes(connection, 1, "sso-admin", "ListPermissionSets") == [None]
    hit = switches.next_fault(connection, "sso-admin", "ListInstances")
    assert hit is not None
    assert hit.message == "why"
    assert switches.read_switches(connection)["faults"][0]["calls"] == 1


def test_two_faults_count_the_same_call_and_the_first_one_answers(connection):
    faults = [
        {"service": "*", "code": "First", "every": 2},
        {"service": "sso-admin", "code": "Second", "every": 2},
    ]
    switches.write_switches(connection, {"faults": faults})
    assert codes(connection, 4) == [None, "First", None, "First"]
    assert [fault["calls"] for fault in switches.read_switches(connection)["faults"]] == [4, 4]


def test_a_reason_for_a_failing_assignment_is_used_once(connection):
    switches.write_switches(connection, {"fail_next_assignments": ["one", "two"]})
    assert [switches.next_assignment_failure(connection) for _ in range(3)] == ["one", "two", None]


def test_only_what_is_named_is_set_and_none_is_the_default(connection):
    switches.write_switches(connection, {"latency_s": 0.5, "asynchronous_duration_s": 3})
    switches.write_switches(connection, {"latency_s": None})
    assert switches.read_switches(connection)["latency_s"] == 0.0
    assert switches.read_switch(connection, "asynchronous_duration_s") == 3.0


def test_what_read_gives_can_be_written_back(connection):
    switches.write_switches(
        connection, {"faults": [{"service": "sts", "code": "X", "next": 1}], "latency_s": 1}
    )
    codes(connection, 3, "sts")
    values = switches.write_switches(connection, switches.read_switches(connection))
    assert values["faults"][0]["calls"] == 0
    assert codes(connection, 1, "sts") == ["X"]


def test_switches_and_counters_survive_a_restart(tmp_path):
    store = Store(tmp_path / "kept.db")
    with store.transaction() as connection:
        switches.write_switches(connection, {"faults": [{"service": "sso-admin", "code": "X", "every": 2}]})
        assert codes(connection, 1) == [None]
    store.close()
    again = Store(tmp_path / "kept.db")
    with again.transaction() as connection:
        assert codes(connection, 1) == ["X"]
    again.close()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "JSON object"),
        ({"latency": 1}, "no switch 'latency'.*latency_s"),
        ({"latency_s": -1}, "latency_s.*-1"),
        ({"latency_s": 61}, "0 to 60.*61"),
        ({"latency_s": True}, "latency_s.*True"),
        ({"latency_s": float("nan")}, "latency_s.*nan"),
        ({"asynchronous_duration_s": "2"}, "asynchronous_duration_s.*'2'"),
        ({"requests_per_second": -1}, "requests_per_second.*-1"),
        ({"requests_per_second": 2.5}, "requests_per_second.*2.5"),
        ({"faults": {}}, "faults must be a list"),
        ({"faults": ["x"]}, "object.*'x'"),
        ({"faults": [{"service": "s3"}]}, "needs code"),
        ({"faults": [{"code": "X"}]}, "needs service"),
        ({"faults": [{"service": "ssoadmin", "code": "X"}]}, "service.*'ssoadmin'.*mean 'sso-admin'"),
        ({"faults": [{"service": "dynamodb", "code": "X"}]}, "service.*'dynamodb'.*sso-admin.*s3"),
        (
            {"faults": [{"service": "sso-admin", "operation": "ListInstance", "code": "X"}]},
            "operation.*'ListInstance'.*mean 'ListInstances'",
        ),
        (
            {"faults": [{"service": "*", "operation": "CreateBuckets", "code": "X"}]},
            "operation.*mean 'CreateBucket'",
        ),
        ({"faults": [{"service": "s3", "code": "X\r\nSet-Cookie: a"}]}, "error code"),
        ({"faults": [{"service": "s3", "code": "X", "evry": 2}]}, "no key 'evry'"),
        ({"faults": [{"service": "s3", "code": "X", "every": 0}]}, "every.*0"),
        ({"faults": [{"service": "s3", "code": "X", "next": 1.5}]}, "next.*1.5"),
        ({"faults": [{"service": "s3", "code": "X", "every": 1, "next": 1}]}, "either every.*or next"),
        ({"faults": [{"service": "s3", "code": "X", "status": 200}]}, "status.*200"),
        ({"faults": [{"service": "s3", "code": "X", "message": 3}]}, "message.*3"),
        ({"fail_next_assignments": [""]}, "reasons.*''"),
    ],
)
def test_impossible_values_are_refused_and_nothing_is_set(connection, values, said):
    with pytest.raises(ServiceError, match=f"(?s){said}") as caught:
        switches.write_switches(connection, values)
    assert caught.value.code == "ValidationException"
    assert switches.read_switches(connection) == switches.DEFAULTS


def test_nothing_is_set_when_one_of_several_is_wrong(connection):
    with pytest.raises(ServiceError):
        switches.write_switches(connection, {"latency_s": 1, "faults": 7})
    assert switches.read_switches(connection)["latency_s"] == 0.0


def test_the_clock_goes_ahead_and_back_to_the_machines(connection):
    advance_clock(connection, 3600)
    assert advance_clock(connection, 0.5) == 3600.5
    assert clock_offset_s(connection) == 3600.5
    reset_clock(connection)
    assert clock_offset_s(connection) == 0.0


@pytest.mark.parametrize("seconds", [-1, "60", None, True, float("inf"), 1e12])
def test_the_clock_refuses_what_is_no_time_ahead(connection, seconds):
    with pytest.raises(ServiceError, match="advance_s"):
        advance_clock(connection, seconds)
    assert clock_offset_s(connection) == 0.0
