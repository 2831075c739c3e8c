import json

import pytest

from idc_helpers.runbook.records import Attestation, AttestationBook

MFA = {"prompt": "always-on"}


def test_a_record_is_found_again_by_setting_value_and_instance(tmp_path):
    AttestationBook(tmp_path / "a.jsonl").record(
        "mfa", MFA, by="Ana", seen="Always-on is selected", instance_arn="arn:1"
    )
    book = AttestationBook(tmp_path / "a.jsonl")
    assert book.find("mfa", MFA, "arn:1").by == "Ana"
    assert book.find("mfa", MFA, "arn:2") is None
    assert book.find("mfa", {"prompt": "never"}, "arn:1") is None
    assert book.find("sessions", MFA, "arn:1") is None


def test_what_the_scenario_brings_counts_on_any_instance(tmp_path):
    given = Attestation("mfa", MFA, "Ben", "2026-11-01", "seen")
    assert AttestationBook(tmp_path / "a.jsonl", (given,)).find("mfa", MFA, "arn:9") == given


@pytest.mark.parametrize("line", ['{"setting": "mfa"}', '{"of": "another file"}', '{"setting": "mfa", "va'])
def test_a_line_that_is_no_record_hides_no_other(tmp_path, line):
    book = AttestationBook(tmp_path / "a.jsonl")
    book.record("mfa", MFA, by="Ana", seen="Always-on is selected", instance_arn="arn:1")
    text = book.path.read_text("utf-8")
    newer = json.dumps(json.loads(text) | {"by": "Ben", "since": "a newer kit"})
    book.path.write_text(f"{text}{line}\n{newer}\n{line}\n", "utf-8")
    assert book.find("mfa", MFA, "arn:1").by == "Ben"
    assert [one.by for one in book.all_of("mfa")] == ["Ana", "Ben"]


@pytest.mark.parametrize(("by", "seen"), [("", "x"), ("Ana", "  ")])
def test_a_record_without_who_or_what_is_refused(tmp_path, by, seen):
    with pytest.raises(ValueError, match="names who did it"):
        AttestationBook(tmp_path / "a.jsonl").record("mfa", MFA, by=by, seen=seen, instance_arn="arn:1")
    assert not (tmp_path / "a.jsonl").exists()
