"""Profiles in the AWS config file: the change is shown, and the file is explained."""

from __future__ import annotations

import pytest

from idc_aws.signin.config_file import read_config
from idc_aws.signin.profiles import (
    SsoProfile,
    configured_profile,
    explain_profile,
    plan_profile,
    read_profile,
    write_profile,
)

PROFILE = SsoProfile(
    "practice", "corp", "https://d-1.awsapps.com/start", "us-east-1", "111122223333", "ReadOnly", "eu-west-1"
)
MINE = "# my own words\n[default]\nregion = eu-central-1\n\n[profile other]\nregion = us-west-1\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config"


def test_a_new_file_is_the_profile_and_its_session_each_with_who_made_it(path):
    write_profile(path, PROFILE)
    assert path.read_text() == (
        "[profile practice]\n"
        "# made by identity-center-runbook-kit for practice, ReadOnly in 111122223333\n"
        "sso_session = corp\n"
        "sso_account_id = 111122223333\n"
        "sso_role_name = ReadOnly\n"
        "region = eu-west-1\n"
        "output = json\n"
        "\n"
        "[sso-session corp]\n"
        "# made by identity-center-runbook-kit for corp, https://d-1.awsapps.com/start in us-east-1\n"
        "sso_start_url = https://d-1.awsapps.com/start\n"
        "sso_region = us-east-1\n"
        "sso_registration_scopes = sso:account:access\n"
    )
    assert plan_profile(path, PROFILE).difference() == []


def test_the_difference_shows_both_sides_and_what_is_around(path):
    path.write_text(MINE)
    write_profile(path, PROFILE)
    path.write_text(path.read_text().replace("region = eu-west-1", "region = us-west-2"))
    lines = plan_profile(path, PROFILE).difference()
    assert [line for line in lines if line[0] in "+-"] == ["-region = us-west-2", "+region = eu-west-1"]
    assert " sso_role_name = ReadOnly" in lines


def test_the_difference_of_a_very_long_file_is_found_at_once(path):
    path.write_text("".join(f"[profile p{number}]\nregion = r\n" for number in range(5_000)))
    lines = plan_profile(path, PROFILE).difference()
    assert len([line for line in lines if line.startswith("+[")]) == 2


def test_every_line_is_explained_and_comments_are_left_out(path):
    path.write_text("[profile other]\nregion = x\n")
    write_profile(path, PROFILE)
    rows = explain_profile(read_config(path), "practice")
    assert all(meaning for _, meaning in rows)
    assert rows[0] == ("[profile practice]", "a profile named practice: what --profile takes")
    assert [line for line, _ in rows] == [
        line for line in path.read_text().splitlines()[3:] if line and not line.startswith("#")
    ]


@pytest.mark.parametrize("name", ["nobody", "corp"])
def test_no_such_profile(path, name):
    write_profile(path, PROFILE)
    assert read_profile(read_config(path), name) == {}
    assert explain_profile(read_config(path), name) == []


def test_a_profile_that_is_not_whole_is_none_to_sign_in_with(path):
    write_profile(path, PROFILE)
    text = path.read_text()
    assert configured_profile(read_config(path), PROFILE.profile_name) == PROFILE
    assert configured_profile(read_config(path), "another") is None
    path.write_text("\n".join(line for line in text.splitlines() if "sso_role_name" not in line))
    assert configured_profile(read_config(path), PROFILE.profile_name) is None
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("region")))
    assert configured_profile(read_config(path), PROFILE.profile_name).region == PROFILE.sso_region
