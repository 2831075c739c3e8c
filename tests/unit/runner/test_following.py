import json
import threading

from patience import PATIENCE_S

from idc_runner.progress import EventFollower


def test_whole_lines_are_handed_over_once_and_in_order_while_the_file_grows(tmp_path):
    path, seen, second = tmp_path / "events.jsonl", [], threading.Event()

    def on_event(entry):
        seen.append(entry["n"])
        if entry["n"] == 2:
            second.set()

    with EventFollower(path, on_event), path.open("a", encoding="utf-8") as file:
        file.write('{"n": 1}\n{"n": 2}\n{"n"')
        file.flush()
        assert second.wait(PATIENCE_S), "nothing was handed over while the file was being written"
        file.write(": 3}\nnot json\n[4]\n")
        file.write(json.dumps({"n": 5}) + "\n")
    assert seen == [1, 2, 3, 5]


def test_what_was_there_before_is_not_told_again(tmp_path):
    path, seen = tmp_path / "events.jsonl", []
    path.write_text('{"n": 1}\n', "utf-8")
    with EventFollower(path, seen.append), path.open("a", encoding="utf-8") as file:
        file.write('{"n": 2}\n')
    assert seen == [{"n": 2}]


def test_who_must_not_wait_catches_up_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("idc_runner.progress._PERIOD_S", PATIENCE_S)
    path, seen = tmp_path / "events.jsonl", []
    with EventFollower(path, seen.append) as follower:
        for number in (1, 2):
            path.write_text("".join(f'{{"n": {n}}}\n' for n in range(number)), "utf-8")
            follower.catch_up()
            assert seen == [{"n": n} for n in range(number)]
