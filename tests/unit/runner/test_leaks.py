"""What a run wrote is looked at once more: a secret is told by its place and never by its value."""

import json
import os

import pytest

from idc_runner.outputs import Leak, LeakSearch, clean_log, leak_failure

SECRET = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"
PEM = ["-----BEGIN PRIVATE KEY-----\n", "MIIEowIBAAKCAQEA7\n", "-----END PRIVATE KEY-----\n"]


@pytest.fixture
def search(tmp_path):
    """A search that began when the folder was empty."""
    return LeakSearch(tmp_path)


def test_files_are_told_with_the_line(tmp_path, search):
    (tmp_path / "notes.txt").write_text(f"one\nkey {SECRET}\n", "utf-8")
    (tmp_path / "fine.txt").write_text("arn:aws:sso:::instance/ssoins-7223abcdef012345", "utf-8")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id.pem").write_text("".join(PEM), "utf-8")
    assert search.find() == [
        Leak("keys/id.pem", "line 1", "a private key"),
        Leak("notes.txt", "line 2", "a secret access key"),
    ]


def test_notebooks_are_told_with_the_cell_and_its_part(tmp_path, search):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["fine"]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": [],
            "outputs": [{"text": PEM}],
        },
        {"cell_type": "code", "metadata": {"tags": [SECRET]}, "source": f"x = '{SECRET}'", "outputs": []},
    ]
    document = {"cells": cells, "metadata": {"widgets": {"state": {"value": SECRET}}}}
    (tmp_path / "a.ipynb").write_text(json.dumps(document), "utf-8")
    assert [str(leak) for leak in search.find()] == [
        "a.ipynb, metadata: a secret access key",
        "a.ipynb, cell 2, outputs: a private key",
        "a.ipynb, cell 3, metadata: a secret access key",
        "a.ipynb, cell 3, source: a secret access key",
    ]


def test_a_sandbox_of_the_runs_own_binaries_and_older_files_are_passed_over(tmp_path, search):
    (tmp_path / "sandbox").mkdir()
    for name in ("sandbox/secrets.json", "picture.png", "old.txt"):
        (tmp_path / name).write_bytes((b"\0" if name == "picture.png" else b"") + SECRET.encode())
    assert [leak.file for leak in search.find()] == ["old.txt"]
    assert LeakSearch(tmp_path).find() == []


def test_a_file_is_looked_at_again_when_it_has_changed(tmp_path, search):
    path = tmp_path / "notes.txt"
    path.write_text("fine", "utf-8")
    assert search.find() == []
    status = path.stat()
    path.write_text(SECRET, "utf-8")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # a file system may keep whole seconds
    assert [leak.file for leak in search.find()] == ["notes.txt"]
    assert search.find() == []


def test_pages_that_the_runner_makes_of_what_is_looked_at_are_passed_over_and_no_other_page(tmp_path, search):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "05_x.ipynb").write_text('{"cells": []}', "utf-8")
    for name in ("index.html", "notebooks/05_x.html", "notebooks/mine.html", "notebooks/index.html"):
        (tmp_path / name).write_text(SECRET, "utf-8")
    assert [leak.file for leak in search.find()] == ["notebooks/index.html", "notebooks/mine.html"]


def test_the_failure_names_places_and_no_value():
    leaks = [Leak(f"{number}.txt", "line 1", "a private key") for number in range(12)]
    failure = leak_failure(leaks)
    assert failure.error_name == "SecretInOutputError"
    assert "- 0.txt, line 1: a private key\n" in failure.message
    assert "… and 2 more\n" in failure.message


def test_logs_of_other_programs_are_cleaned(tmp_path):
    log = tmp_path / "kernels.log"
    clean_log(log)
    assert not log.exists()
    log.write_text(f"starting\nkey {SECRET}\n", "utf-8")
    clean_log(log)
    assert log.read_text("utf-8") == "starting\nkey [removed]\n"


def test_a_secret_in_a_files_name_is_found_and_not_said(tmp_path, search):
    (tmp_path / f"of_{SECRET.replace('/', 'x')}.png").write_bytes(b"\0")
    assert [str(leak) for leak in search.find()] == ["of_[removed].png, its name: a secret access key"]
