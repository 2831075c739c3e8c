"""Other people's config files: read as AWS reads them, proved before they are written, or left alone."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.configloader import load_config
from botocore.exceptions import ConfigParseError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from odd_config_files import OWN, PORTAL, ROWS, Accepted, Refused

from idc_aws.errors import ConfigFileError
from idc_aws.signin.config_file import config_path, read_config
from idc_aws.signin.profiles import SsoProfile, configured_profile, forget_own, plan_profile, write_profile

PROFILE = SsoProfile("practice", "practice", PORTAL, "us-east-1", "111122223333", "ReadOnly", "eu-west-1")
MINE = "[profile x]\nregion = a\n"


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def split(config, profile_name, session_name):
    """Return botocore's reading of everything else, of the profile and of its session."""
    profile = config["profiles"].pop(profile_name, None)
    session = config["sso_sessions"].pop(session_name, None)
    return config, profile, session


def assert_reads_right(path, before, content, wanted):
    after, profile, session = split(load_config(str(path)), "practice", wanted.session)
    mine = split(before, "practice", wanted.session)[0]
    assert after == mine
    assert {name: profile[name] for name in ("sso_session", "sso_account_id", "sso_role_name", "region")} == {
        "sso_session": wanted.session,
        "sso_account_id": PROFILE.account_id,
        "sso_role_name": PROFILE.role_name,
        "region": wanted.region,
    }
    assert (session["sso_start_url"].rstrip("/#"), session["sso_region"]) == (PORTAL, "us-east-1")
    assert profile | session == session | profile, "botocore refuses keys that differ in the two"
    written = path.read_bytes().decode()
    assert set(wanted.kept) <= set(written.splitlines())
    if content and b"\r\n" in content:
        assert "\n" not in written.replace("\r\n", "")


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if isinstance(row[1], Accepted)])
def test_what_aws_can_read_gets_the_profile_and_loses_nothing(tmp_path, name):
    content, wanted = as_bytes(ROWS[name][0]), ROWS[name][1]
    path = tmp_path / "config"
    path.write_bytes(content)
    before = load_config(str(path))
    change = plan_profile(path, PROFILE)
    assert path.read_bytes() == content, "a plan writes nothing"
    backup = write_profile(path, PROFILE)
    assert_reads_right(path, before, content, wanted)
    assert (backup is None) == (not content or not change.is_needed)
    assert backup is None or backup.read_bytes() == content
    assert write_profile(path, PROFILE) is None, "the second time there is nothing to do"
    assert configured_profile(read_config(path), "practice").session_name == wanted.session


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if isinstance(row[1], Refused)])
def test_what_is_broken_or_taken_is_refused_with_its_line_and_left_as_it_is(tmp_path, name):
    content, refused = as_bytes(ROWS[name][0]), ROWS[name][1]
    path = tmp_path / "config"
    path.write_bytes(content)
    with pytest.raises(ConfigFileError) as caught:
        write_profile(path, PROFILE)
    place = str(path) if refused.line is None else f"{path}:{refused.line}"
    assert caught.value.message.startswith(f"{place}: ")
    assert refused.words in caught.value.message
    assert caught.value.remedy
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["config"]


def test_no_value_of_a_broken_file_is_shown(tmp_path):
    path = tmp_path / "config"
    secret = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"
    path.write_text(f"[profile x]\n{secret}\n")
    with pytest.raises(ConfigFileError) as caught:
        read_config(path)
    assert not [part for part in secret.split("/") if part in str(caught.value)]


NAMES = st.sampled_from(
    ["practice", "practice-2", '"practice"', "x", "'my name'", "default", " practice", "y z"]
)
KINDS = st.sampled_from(["profile ", "profile", "sso-session ", "services ", "", " profile ", "profile  "])
KEYS = st.sampled_from(
    [*PROFILE.profile_values, *PROFILE.session_values, "REGION", "s3", "a b", "services", "role_arn"]
)
VALUES = st.sampled_from(
    f"practice|x||{PORTAL}|us-east-1|111122223333|ReadOnly|json|\n  a = b|1 # c|[d]|\n\n  a\n|é\u2028"
    "|\n  # c\n  a = 1|sso:account:access".split("|")
)
INDENTS = st.sampled_from(["", "", "", "  ", "\t"])
LINES = st.one_of(
    st.builds("{}[{}{}]".format, INDENTS, KINDS, NAMES),
    st.builds("{}{}{}{}".format, INDENTS, KEYS, st.sampled_from([" = ", ":", "="]), VALUES),
    st.builds("{}{}".format, INDENTS, st.sampled_from(["# c", "; [profile practice]", "", "[DEFAULT]"])),
    st.sampled_from(OWN.splitlines()),
)
FILES = st.builds(
    lambda lines, end, last: end.join(lines).replace("\n", end) + (end if last else ""),
    st.lists(LINES, max_size=14),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=FILES)
@example(text=OWN)
@example(text="[profile practice]\n   [profile next]\n")
@example(text="[DEFAULT]\nregion = us-west-2\n")
def test_whatever_aws_can_read_is_written_right_or_left_as_it_is(tmp_path, text):
    path = tmp_path / "config"
    for left in tmp_path.iterdir():
        left.unlink()
    path.write_bytes(text.encode())
    try:
        before = load_config(str(path))
    except ConfigParseError:
        before = None
    try:
        write_profile(path, PROFILE)
    except ConfigFileError:
        assert path.read_bytes() == text.encode()
        return
    assert before is not None, "AWS cannot read it, and it was written"
    found = configured_profile(read_config(path), "practice")
    assert (found.account_id, found.role_name) == (PROFILE.account_id, PROFILE.role_name)
    assert (found.start_url.rstrip("/#"), found.sso_region) == (PORTAL, "us-east-1")
    after = split(load_config(str(path)), "practice", found.session_name)
    assert after[0] == split(before, "practice", found.session_name)[0]
    assert after[1] | after[2] == after[2] | after[1]


# --- the file itself: links, modes, kinds


def test_a_link_stays_a_link_and_what_it_leads_to_is_replaced_with_its_mode(tmp_path):
    real = tmp_path / "dotfiles" / "aws-config"
    real.parent.mkdir()
    real.write_text(MINE)
    real.chmod(0o640)
    path = tmp_path / "config"
    path.symlink_to("dotfiles/aws-config")
    backup = write_profile(path, PROFILE)
    assert str(path.readlink()) == "dotfiles/aws-config"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert "[profile practice]" in real.read_text()
    assert backup.read_text() == MINE
    assert sorted(entry.name for entry in real.parent.iterdir()) == ["aws-config", "aws-config.backup-1"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660])
def test_the_mode_stays(tmp_path, mode):
    path = tmp_path / "config"
    path.write_text(MINE)
    path.chmod(mode)
    write_profile(path, PROFILE)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_and_its_folder_are_private(tmp_path):
    path = tmp_path / "aws" / "config"
    assert write_profile(path, PROFILE) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["config"]


def folder(path):
    path.mkdir()


def fifo(path):
    os.mkfifo(path)


def loop(path):
    path.symlink_to(path.name)


def link_into_nowhere(path):
    path.symlink_to("gone/config")


def read_only(path):
    path.write_text(MINE)
    path.chmod(0o444)


def hard_link(path):
    path.write_text(MINE)
    path.with_name("other").hardlink_to(path)


def too_large(path):
    path.write_bytes(b"#" * (17 * 1024 * 1024))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (folder, "this is a folder"),
        (fifo, "not a regular file"),
        (loop, "cannot be read"),
        (link_into_nowhere, "was not written"),
        (read_only, "read-only"),
        (hard_link, "hard links"),
        (too_large, "too many for a config file"),
    ],
)
def test_what_cannot_be_replaced_is_refused_and_stays(tmp_path, make, words):
    path = tmp_path / "config"
    make(path)
    before = sorted((entry.name, entry.lstat().st_ino) for entry in tmp_path.iterdir())
    with pytest.raises(ConfigFileError, match=words) as caught:
        write_profile(path, PROFILE)
    assert "config" in caught.value.message
    assert sorted((entry.name, entry.lstat().st_ino) for entry in tmp_path.iterdir()) == before


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "aws").write_text("")
    with pytest.raises(ConfigFileError, match="cannot be read"):
        write_profile(tmp_path / "aws" / "config", PROFILE)


def test_backups_are_all_kept(tmp_path):
    path = tmp_path / "config"
    path.write_text(MINE)
    first = write_profile(path, PROFILE)
    path.write_text("[profile y]\nregion = b\n")
    second = write_profile(path, PROFILE)
    assert (first.read_text(), second.read_text()) == (MINE, "[profile y]\nregion = b\n")
    assert (first.name, second.name) == ("config.backup-1", "config.backup-2")


# --- other programs, a full disk, a kill


def test_what_another_program_wrote_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "config"
    path.write_text(MINE)
    change = plan_profile(path, PROFILE)
    path.write_text(MINE + "[profile new]\nregion = b\n")
    with pytest.raises(ConfigFileError, match="another program has changed this file"):
        change.write()
    assert path.read_text() == MINE + "[profile new]\nregion = b\n"
    path.unlink()
    change = plan_profile(path, PROFILE)
    path.write_text(MINE)
    with pytest.raises(ConfigFileError, match="another program has changed this file"):
        change.write()
    assert path.read_text() == MINE
    assert [entry.name for entry in tmp_path.iterdir()] == ["config"]


def test_a_disk_without_room_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "config"
    path.write_text(MINE)
    change = plan_profile(path, PROFILE)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        with pytest.raises(ConfigFileError, match="File too large"):
            change.write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == MINE
    assert [entry.name for entry in tmp_path.iterdir()] == ["config"]


KILLED = """
import os, sys, threading
from pathlib import Path
from odd_config_files import PORTAL
from idc_aws.signin.profiles import write_profile
from idc_aws.signin.profiles import SsoProfile
number = 0
print("ready", flush=True)
while True:
    number += 1
    write_profile(Path(sys.argv[1]), SsoProfile("practice", "practice", PORTAL, "us-east-1",
        f"{number:012}", "ReadOnly", "eu-west-1"))
"""


def test_a_killed_program_leaves_a_whole_file(tmp_path):
    path = tmp_path / "config"
    path.write_text(MINE + "".join(f"[profile p{n}]\nregion = r\n" for n in range(300)))
    wanted = load_config(str(path))["profiles"]
    here = str(Path(__file__).parent)
    for delay_s in (0.02, 0.05, 0.11):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([here, *sys.path])},
        )
        assert child.stdout.readline() == b"ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(delay_s)
        child.kill()
        child.wait()
        child.stdout.close()
        found = load_config(str(path))["profiles"]
        found.pop("practice", None)
        assert found == wanted
    write_profile(path, replace(PROFILE, account_id="999999999999"))


# --- the other file, and where the files are


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        ("[practice]\naws_access_key_id = AKIA\n", r"credentials:1: profile 'practice' has keys here"),
        ("[default]\na = 1\n[practice]\n", r"credentials:3: profile 'practice'"),
        ("[default]\na = 1\na = 2\n", r"credentials:3: duplicate key 'a'"),
    ],
)
def test_a_name_with_keys_in_the_credentials_file_is_taken(tmp_path, credentials, words):
    (tmp_path / "config").write_text(MINE)
    (tmp_path / "credentials").write_text(credentials)
    with pytest.raises(ConfigFileError, match=words):
        write_profile(tmp_path / "config", PROFILE)
    assert (tmp_path / "config").read_text() == MINE
    assert (tmp_path / "credentials").read_text() == credentials


def test_other_names_in_the_credentials_file_are_no_matter(tmp_path):
    (tmp_path / "credentials").write_text("[profile practice]\n[default]\naws_access_key_id = AKIA\n")
    write_profile(tmp_path / "config", PROFILE)
    assert "practice" in load_config(str(tmp_path / "config"))["profiles"]


def test_the_path_is_the_one_that_aws_uses(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_CONFIG_FILE", raising=False)
    assert config_path() == tmp_path / ".aws" / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", "~/$MINE/config")
    monkeypatch.setenv("MINE", "elsewhere")
    assert config_path() == tmp_path / "elsewhere" / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", "")
    with pytest.raises(ConfigFileError, match="AWS_CONFIG_FILE is set to ''"):
        config_path()
    monkeypatch.setenv("AWS_CONFIG_FILE", "~nobody-of-that-name/config")
    with pytest.raises(ConfigFileError, match="home folder"):
        config_path()


# --- what is deleted


def test_the_kits_own_profile_and_session_are_forgotten_and_nothing_else(tmp_path):
    path = tmp_path / "config"
    path.write_text(MINE)
    write_profile(path, PROFILE)
    forget_own(path, PROFILE)
    assert path.read_text().strip() == MINE.strip()


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (OWN.replace("# made", "# mad"), ["practice", "practice"]),
        (OWN.replace("Auditor\nregion", "Admin\nregion"), ["practice"]),
        (OWN + "[profile y]\nsso_session = practice\n", ["y", "practice"]),
    ],
)
def test_what_others_made_changed_or_use_is_not_forgotten(tmp_path, text, stays):
    path = tmp_path / "config"
    path.write_text(text)
    forget_own(path, PROFILE)
    found = load_config(str(path))
    assert [*found["profiles"], *found["sso_sessions"]] == stays
