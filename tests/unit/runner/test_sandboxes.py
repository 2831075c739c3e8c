"""A sandbox of a run's own ends with the run, whoever started it; one that others may use stays."""

import pytest

from idc_aws import sandbox


@pytest.mark.parametrize(
    ("ran_before", "is_shared", "stopped"),
    [(False, False, True), (False, True, True), (True, True, False), (True, False, True)],
)
def test_who_ends_a_sandbox(monkeypatch, tmp_path, ran_before, is_shared, stopped):
    ended = []
    monkeypatch.setattr(sandbox, "find_sandbox", lambda state: "address" if ran_before else None)
    monkeypatch.setattr(sandbox, "start_sandbox", lambda state, **_options: "address")
    monkeypatch.setattr(sandbox, "stop_sandbox", ended.append)
    with sandbox.sandbox_of_its_own(tmp_path, is_shared=is_shared) as address:
        assert address == "address"
        assert ended == []
    assert ended == ([tmp_path] if stopped else [])
