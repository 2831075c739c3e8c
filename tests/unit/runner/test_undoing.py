"""Two undos of one run take turns: the second one sees what the first has left."""

import threading

from patience import PATIENCE_S

from idc_aws.files import lock_folder
from idc_runner.undo import open_undo


def test_an_undo_waits_for_another_one_of_the_same_folder(tmp_path):
    opened = threading.Event()

    def second():
        with open_undo(tmp_path):
            opened.set()

    with lock_folder(tmp_path):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not opened.wait(0.5)
    assert opened.wait(PATIENCE_S)
    waiting.join()
