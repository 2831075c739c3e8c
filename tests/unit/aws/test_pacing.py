import threading

import pytest
from stub_transport import INSTANCE_ARN, Refusal

from idc_aws.calls import Timing
from idc_aws.clients import AWS_RATE_PER_S, Pacer, Pacing, aws_clients
from idc_aws.failures import Failures


def most_in_a_second(times):
    return max(sum(0 <= round(other - start, 6) < 1 for other in times) for start in times)


def test_calls_are_spaced_evenly(clock):
    pacer = Pacer(20, Timing(clock, clock.sleep))
    times = []
    for _ in range(100):
        pacer.wait()
        times.append(clock.now)
    assert most_in_a_second(times) == 20
    assert times[-1] == pytest.approx(99 / 20)


def test_a_pause_earns_no_burst(clock):
    pacer = Pacer(20, Timing(clock, clock.sleep))
    pacer.wait()
    clock.now += 60
    assert [pacer.wait() for _ in range(3)] == pytest.approx([0, 0.05, 0.05])


def test_no_rate_means_no_waiting(clock):
    pacer = Pacer(None, Timing(clock, clock.sleep))
    assert [pacer.wait() for _ in range(50)] == [0.0] * 50
    assert clock.slept == []


def test_threads_share_the_slots():
    # The clock stands still, so each thread's delay is its slot.
    delays = []
    pacer = Pacer(20, Timing(lambda: 0.0, delays.append))
    threads = [threading.Thread(target=pacer.wait) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(delays) == pytest.approx([number / 20 for number in range(1, 40)])


def test_sso_admin_has_one_pacer_and_identitystore_one_for_each_operation():
    pacing = Pacing(20)
    assert pacing.pacer("sso-admin", "ListInstances") is pacing.pacer("sso-admin", "CreatePermissionSet")
    assert pacing.pacer("sso-admin", "ListInstances") is pacing.sso_admin
    users = pacing.pacer("identitystore", "CreateUser")
    assert users is pacing.pacer("identitystore", "CreateUser")
    assert users is not pacing.pacer("identitystore", "CreateGroup")
    assert pacing.pacer("organizations", "ListAccounts") is None


def test_retries_are_paced_too(transport, clock):
    transport.on(
        "ListPermissionSets",
        Refusal("ThrottlingException"),
        Refusal("ThrottlingException"),
        {"PermissionSets": []},
    )
    sent = []
    pacing = Pacing(AWS_RATE_PER_S, lambda rate: Pacer(rate, Timing(clock, clock.sleep)))
    clients = aws_clients(
        region="us-east-1", profile=None, failures=Failures("aws", "us-east-1"), pacing=pacing
    )
    sso_admin = clients.client("sso-admin")
    sso_admin.meta.events.register_last("before-send", lambda **_event: sent.append(clock.now))
    for _ in range(40):
        sso_admin.list_permission_sets(InstanceArn=INSTANCE_ARN)
    assert len(sent) == 42
    assert most_in_a_second(sent) == 20
