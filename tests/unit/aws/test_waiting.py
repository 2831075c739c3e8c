import pytest
from botocore.exceptions import ClientError

from idc_aws.calls import Timing, is_spreading, retry_conflicts, wait_until
from idc_aws.errors import WaitTimeoutError


@pytest.fixture
def timing(clock):
    return Timing(clock, clock.sleep, lambda: 1.0)


def refusal(code="ConflictException", message="earlier write", **members):
    return ClientError({"Error": {"Code": code, "Message": message}, **members}, "Something")


def test_reads_until_it_is_done(clock, timing):
    statuses = iter(["IN_PROGRESS"] * 5 + ["SUCCEEDED", "never read"])
    read = wait_until(
        lambda: next(statuses), lambda status: status != "IN_PROGRESS", timeout_s=60, what="it", timing=timing
    )
    assert read == "SUCCEEDED"
    assert clock.slept == sorted(clock.slept)
    assert clock.slept[0] == 0.1


def test_gives_up_with_the_last_status_and_not_before_the_time(clock, timing):
    with pytest.raises(WaitTimeoutError, match=r"waited 30 s for the moon; the last status was 'RISING'"):
        wait_until(lambda: "RISING", lambda _status: False, timeout_s=30, what="the moon", timing=timing)
    assert clock.now == pytest.approx(30)
    assert max(clock.slept) <= 2.0


def test_a_conflict_that_passes_is_called_again_with_growing_pauses(clock, timing):
    answers = iter([refusal(), refusal(), refusal(), "done"])

    def call():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert retry_conflicts(call, timing=timing) == "done"
    assert clock.slept == pytest.approx([0.2, 0.4, 0.8])


def test_a_conflict_that_does_not_pass_is_raised_when_the_time_is_up(clock, timing):
    def call():
        raise refusal()

    with pytest.raises(ClientError):
        retry_conflicts(call, timeout_s=10, timing=timing)
    assert clock.now == pytest.approx(10)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (refusal(), True),
        (refusal(message="A permission set with this name already exists."), False),
        (refusal(message="Duplicate UserName"), False),
        (refusal(Reason="UNIQUENESS_CONSTRAINT_VIOLATION"), False),
        (refusal(Reason="CONCURRENT_MODIFICATION"), True),
        (refusal("ValidationException"), False),
        (refusal("ResourceNotFoundException"), False),
    ],
)
def test_what_passes_by_itself(error, passes):
    assert is_spreading(error) is passes


def test_another_refusal_is_not_called_again(clock, timing):
    def call():
        raise refusal("ValidationException")

    with pytest.raises(ClientError):
        retry_conflicts(call, timing=timing)
    assert clock.slept == []
