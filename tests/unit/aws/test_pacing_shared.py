import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idc_aws.calls import Timing
from idc_aws.clients import AWS_RATE_PER_S, Pacer, Pacing, SharedPacer
from idc_aws.connection import share_pacing
from idc_aws.errors import InvalidValueError, RunFailedError
from idc_aws.project import PACING_FOLDER_VARIABLE, PACING_MACHINES_VARIABLE

# The clock stands still, so each delay is the time of a slot.
TAKES_SLOTS = """
import sys
from pathlib import Path
from idc_aws.calls import Timing
from idc_aws.clients import SharedPacer
pacer = SharedPacer(20.0, Path(sys.argv[1]), Timing(lambda: 5.0, lambda _seconds: None))
sys.stdin.read()
print(*[pacer.wait() for _ in range(200)])
"""


def test_processes_together_never_exceed_the_rate(tmp_path):
    command = [sys.executable, "-c", TAKES_SLOTS, str(tmp_path / "x.slot")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for process in processes:  # all wait for this, so that they begin together
        process.stdin.close()
    slots = sorted(float(word) for process in processes for word in process.stdout.read().split())
    for process in processes:
        process.stdout.close()
        assert process.wait() == 0
    assert slots == pytest.approx([number / 20 for number in range(800)])


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 0.2)), max_size=60), rate=st.integers(1, 50))
def test_slots_of_several_pacers_are_never_nearer_than_the_rate_allows(tmp_path_factory, steps, rate):
    now = 1000.0
    path = tmp_path_factory.mktemp("pacing") / "x.slot"
    pacers = [SharedPacer(rate, path, Timing(lambda: now, lambda _s: None)) for _ in range(3)]
    slots = []
    for which, pause_s in steps:
        now += pause_s
        slots.append(now + pacers[which].wait())
    assert all(later - earlier >= 1 / rate - 1e-6 for earlier, later in pairwise(slots))


def test_a_file_of_before_the_machine_was_started_anew_holds_nobody_up(tmp_path):
    path = tmp_path / "x.slot"
    SharedPacer(20, path, Timing(lambda: 9_000_000.0)).wait()
    assert SharedPacer(20, path, Timing(lambda: 30.0)).wait() == 0


class Connected:
    region = "eu-west-1"

    class caller:
        account_id = "444455556666"

    def __init__(self, answer):
        self.pacing = Pacing(AWS_RATE_PER_S)
        self.cache = {}
        self.answer = answer

    def call(self, _service, method_name):
        assert method_name == "describe_organization"
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Organization": {"MasterAccountId": self.answer}}


def test_who_works_on_one_organization_shares_its_limits(tmp_path, monkeypatch):
    monkeypatch.setenv(PACING_FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv(PACING_MACHINES_VARIABLE, "4")
    connection = Connected("111122223333")
    share_pacing(connection)
    pacing = connection.pacing
    assert pacing.pacer("sso-admin", "ListInstances") is pacing.sso_admin
    assert pacing.sso_admin.rate_per_s == 5
    pacing.sso_admin.wait()
    pacing.pacer("identitystore", "CreateUser").wait()
    assert pacing.pacer("identitystore", "CreateUser") is pacing.pacer("identitystore", "CreateUser")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "111122223333-eu-west-1-identitystore-CreateUser.slot",
        "111122223333-eu-west-1-sso-admin.slot",
    ]


def test_an_account_that_may_not_ask_for_its_organization_stands_for_itself(tmp_path, monkeypatch):
    from idc_aws.errors import AccessDeniedError

    monkeypatch.setenv(PACING_FOLDER_VARIABLE, str(tmp_path))
    connection = Connected(AccessDeniedError("no"))
    share_pacing(connection)
    connection.pacing.sso_admin.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["444455556666-eu-west-1-sso-admin.slot"]


def test_without_a_folder_a_process_paces_itself(monkeypatch):
    monkeypatch.delenv(PACING_FOLDER_VARIABLE, raising=False)
    connection = Connected("111122223333")
    share_pacing(connection)
    assert type(connection.pacing.sso_admin) is Pacer


@pytest.mark.parametrize("text", ["0", "-1", "two"])
def test_a_number_of_machines_that_is_none_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setenv(PACING_FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv(PACING_MACHINES_VARIABLE, text)
    with pytest.raises(InvalidValueError, match=repr(text)):
        share_pacing(Connected("111122223333"))


def test_a_folder_that_is_gone_stops_the_call_rather_than_the_pacing(tmp_path):
    with pytest.raises(RunFailedError, match=r"x\.slot"):
        SharedPacer(20, tmp_path / "gone" / "x.slot").wait()
    assert not (tmp_path / "gone").exists()
