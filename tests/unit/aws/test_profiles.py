"""Profiles in the AWS config file: the change is shown, what was there is kept, nothing else is touched."""

from __future__ import annotations

import pytest

from idc_helpers.aws.profiles import (
    SsoProfile,
    configured_profile,
    difference,
    explain_config,
    read_profile,
    with_profile,
    without_profile,
    write_profile,
)

PROFILE = SsoProfile(
    "practice", "corp", "https://d-1.awsapps.com/start", "us-east-1", "111122223333", "ReadOnly", "eu-west-1"
)
MINE = """# my own words
[default]
region = eu-central-1

[profile practice]
# keep me
region = us-west-2
credential_process = /bin/mine
s3 =
  region = not-this-one

[profile other]
region = us-west-1
"""


def test_a_new_file_is_the_profile_and_its_session():
    text = with_profile("", PROFILE)
    assert text.startswith("[profile practice]\nsso_session = corp\n")
    assert read_profile(text, "practice")["sso_start_url"] == PROFILE.start_url
    assert difference(text, PROFILE) == []


def test_what_else_is_in_the_file_stays():
    text = with_profile(MINE, PROFILE)
    for line in MINE.splitlines():
        assert line in text.splitlines() or line == "region = us-west-2"
    assert "  region = not-this-one" in text
    assert read_profile(text, "practice")["region"] == "eu-west-1"
    assert read_profile(text, "other")["region"] == "us-west-1"
    assert with_profile(text, PROFILE) == text


def test_the_difference_shows_both_sides():
    lines = difference(MINE, PROFILE)
    assert "-region = us-west-2" in lines
    assert "+region = eu-west-1" in lines
    assert "+[sso-session corp]" in lines


def test_writing_keeps_a_backup_and_is_private(tmp_path):
    path = tmp_path / "aws" / "config"
    assert write_profile(path, PROFILE) is None
    assert path.stat().st_mode & 0o077 == 0
    path.write_text(MINE)
    backup = write_profile(path, PROFILE)
    assert backup is not None
    assert backup.read_text() == MINE
    assert backup.stat().st_mode & 0o077 == 0
    assert write_profile(path, PROFILE) is None
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["config", "config.backup-1"]


def test_a_second_backup_does_not_replace_the_first(tmp_path):
    path = tmp_path / "config"
    path.write_text(MINE)
    first = write_profile(path, PROFILE)
    path.write_text("[default]\nregion = a\n")
    second = write_profile(path, PROFILE)
    assert first is not None
    assert first.read_text() == MINE
    assert second != first


def test_every_line_is_explained():
    rows = explain_config(with_profile("", PROFILE))
    assert all(meaning for _, meaning in rows)
    assert rows[0] == ("[profile practice]", "a profile named practice: what --profile takes")


@pytest.mark.parametrize("name", ["nobody", "corp"])
def test_no_such_profile(name):
    assert read_profile(with_profile("", PROFILE), name) == {}


def test_a_profile_is_forgotten_with_its_session_and_nothing_else():
    kept = "[default]\nregion = eu-west-1\n\n[profile other]\nregion = us-east-1\n"
    assert without_profile(with_profile(kept, PROFILE), PROFILE).split() == kept.split()
    assert without_profile(kept, PROFILE) == kept


def test_a_profile_that_is_not_whole_is_none_to_sign_in_with():
    text = with_profile("", PROFILE)
    assert configured_profile(text, PROFILE.profile_name) == PROFILE
    assert configured_profile(text, "another") is None
    without_role = "\n".join(line for line in text.splitlines() if "sso_role_name" not in line)
    assert configured_profile(without_role, PROFILE.profile_name) is None
    without_region = "\n".join(line for line in text.splitlines() if not line.startswith("region"))
    assert configured_profile(without_region, PROFILE.profile_name).region == PROFILE.sso_region
