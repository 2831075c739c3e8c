import threading

import pytest

from idc_helpers.runner.meanwhile import Meanwhile


def test_work_goes_on_beside_the_block_and_is_waited_for_at_its_end():
    may_go, done = threading.Event(), []
    with Meanwhile() as meanwhile:
        meanwhile.start(lambda: done.append(may_go.wait(60)))
        assert done == []
        may_go.set()
    assert done == [True]


def test_a_second_piece_begins_after_the_first():
    done = []
    with Meanwhile() as meanwhile:
        for number in range(3):
            meanwhile.start(lambda number=number: done.append(number))
    assert done == [0, 1, 2]


def test_what_it_raises_is_raised_once_where_it_is_waited_for():
    def full_disk():
        raise OSError(28, "No space left on device")

    with Meanwhile() as meanwhile:
        meanwhile.start(full_disk)
        with pytest.raises(OSError, match="No space left"):
            meanwhile.wait()
        meanwhile.wait()
