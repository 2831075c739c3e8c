import threading

import pytest
from patience import PATIENCE_S

from idc_runner.progress import Meanwhile


def test_work_goes_on_beside_the_block_and_is_waited_for_at_its_end():
    may_go, done = threading.Event(), []
    with Meanwhile() as meanwhile:
        meanwhile.offer(lambda: done.append(may_go.wait(PATIENCE_S)))
        assert done == []
        may_go.set()
    assert done == [True]


def test_what_is_offered_while_something_goes_on_is_left_out():
    may_go, done = threading.Event(), []
    with Meanwhile() as meanwhile:
        meanwhile.offer(lambda: may_go.wait(PATIENCE_S))
        meanwhile.offer(lambda: done.append("left out"))
        may_go.set()
    assert done == []


def test_what_it_raises_is_raised_once_with_the_next_offer():
    ended = threading.Event()

    def full_disk():
        try:
            raise OSError(28, "No space left on device")
        finally:
            ended.set()

    done = []
    with Meanwhile() as meanwhile:
        meanwhile.offer(full_disk)
        ended.wait(PATIENCE_S)
        with pytest.raises(OSError, match="No space left"):
            until_raised(meanwhile)
        meanwhile.offer(lambda: done.append("again"))
    assert done == ["again"]


def until_raised(meanwhile):
    for _ in range(1000):  # the thread may not have handed the error over yet
        meanwhile.offer(lambda: None)
        threading.Event().wait(0.01)
