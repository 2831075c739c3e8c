"""What a run wrote is looked at once more: a secret is told by its place and never by its value."""

import json

from idc_helpers.runner.leaks import Leak, clean_log, find_leaks, leak_failure

SECRET = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"
PEM = ["-----BEGIN PRIVATE KEY-----\n", "MIIEowIBAAKCAQEA7\n", "-----END PRIVATE KEY-----\n"]


def test_files_are_told_with_the_line(tmp_path):
    (tmp_path / "notes.txt").write_text(f"one\nkey {SECRET}\n", "utf-8")
    (tmp_path / "fine.txt").write_text("arn:aws:sso:::instance/ssoins-7223abcdef012345", "utf-8")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id.pem").write_text("".join(PEM), "utf-8")
    assert find_leaks(tmp_path) == [
        Leak("keys/id.pem", "line 1", "a private key"),
        Leak("notes.txt", "line 2", "a secret access key"),
    ]


def test_notebooks_are_told_with_the_cell_and_its_part(tmp_path):
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
    assert [str(leak) for leak in find_leaks(tmp_path)] == [
        "a.ipynb, metadata: a secret access key",
        "a.ipynb, cell 2, outputs: a private key",
        "a.ipynb, cell 3, metadata: a secret access key",
        "a.ipynb, cell 3, source: a secret access key",
    ]


def test_a_sandbox_of_the_runs_own_binaries_and_older_files_are_passed_over(tmp_path):
    (tmp_path / "sandbox").mkdir()
    for name in ("sandbox/secrets.json", "picture.png", "old.txt"):
        (tmp_path / name).write_bytes((b"\0" if name == "picture.png" else b"") + SECRET.encode())
    later = (tmp_path / "old.txt").stat().st_mtime + 10
    assert [leak.file for leak in find_leaks(tmp_path)] == ["old.txt"]
    assert find_leaks(tmp_path, since=later) == []


def test_pages_that_the_runner_makes_of_what_is_looked_at_are_passed_over_and_no_other_page(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "05_x.ipynb").write_text('{"cells": []}', "utf-8")
    for name in ("index.html", "notebooks/05_x.html", "notebooks/mine.html", "notebooks/index.html"):
        (tmp_path / name).write_text(SECRET, "utf-8")
    assert [leak.file for leak in find_leaks(tmp_path)] == ["notebooks/index.html", "notebooks/mine.html"]


def test_the_failure_names_places_and_no_value():
    leaks = [Leak(f"{number}.txt", "line 1", "a private key") for number in range(12)]
    failure = leak_failure(leaks)
    assert failure.error_name == "SecretInOutputError"
    assert "- 0.txt, line 1: a private key\n" in failure.message
    assert "- and 2 more\n" in failure.message


def test_logs_of_other_programs_are_cleaned(tmp_path):
    log = tmp_path / "kernels.log"
    clean_log(log)
    assert not log.exists()
    log.write_text(f"starting\nkey {SECRET}\n", "utf-8")
    clean_log(log)
    assert log.read_text("utf-8") == "starting\nkey [removed]\n"
