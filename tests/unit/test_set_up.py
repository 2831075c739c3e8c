"""``tools/set_up.sh`` and the commands that call it, with a Python that only says what it was asked to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2]
FAKE_PYTHON = """\
#!/bin/sh
echo "$0 $*" >> {log}
case "$*" in
  *"sys.version_info <"*) exit {too_old} ;;
  *platform.python_version*) echo {version} ;;
  *"import venv, ensurepip"*) exit {no_venv} ;;
  *"sys.version_info[:2]"*) echo 3.11 ;;
  "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *"pip install"*) exit {no_index} ;;
esac
"""


class Kit:
    """A folder with the files that set-up reads, and a path on which nothing but one Python is found."""

    def __init__(self, folder):
        self.folder, self.log, self.programs = folder / "kit", folder / "log", folder / "programs"
        (self.folder / "tools").mkdir(parents=True)
        self.programs.mkdir()
        for name in ("requirements.lock", "requirements-test.lock", "pyproject.toml", "tools/set_up.sh"):
            shutil.copy(KIT / name, self.folder / name)
        for name in ("bash", "sh", "dirname", "cat", "cksum", "mkdir", "cp", "pwd", "rm"):
            (self.programs / name).symlink_to(shutil.which(name))
        self.python()

    def python(self, name="python3", *, too_old=0, version="3.11.2", no_venv=0, no_index=0):
        path = self.programs / name
        text = FAKE_PYTHON.format(
            log=self.log, too_old=too_old, version=version, no_venv=no_venv, no_index=no_index
        )
        path.write_text(text, "utf-8")
        path.chmod(0o755)

    def set_up(self, *arguments, **environment):
        self.log.write_text("", "utf-8")
        command = [str(self.programs / "bash"), "tools/set_up.sh", *arguments]
        environment = {"PATH": str(self.programs), **environment}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def installed(self):
        return [line for line in self.log.read_text("utf-8").splitlines() if "pip install" in line]


@pytest.fixture
def kit(tmp_path):
    return Kit(tmp_path)


def test_the_first_call_installs_and_the_second_does_nothing(kit):
    first = kit.set_up()
    assert first.returncode == 0, first.stderr
    everything, the_kit = kit.installed
    assert "--require-hashes --no-deps -r requirements.lock" in everything
    assert "--no-deps --no-build-isolation -e ." in the_kit
    second = kit.set_up()
    assert (second.returncode, second.stdout, kit.installed) == (0, "", [])


def test_what_an_earlier_version_said_of_itself_is_removed(kit):
    # Python would find its entry points first where it is started in this folder.
    earlier = kit.folder / "identity_center_runbook_kit.egg-info"
    earlier.mkdir()
    (earlier / "entry_points.txt").touch()
    assert kit.set_up().returncode == 0
    assert not earlier.exists()


def test_what_tests_need_is_installed_when_it_is_asked_for(kit):
    kit.set_up()
    assert kit.set_up("test").returncode == 0
    assert "--require-hashes --no-deps -r requirements-test.lock" in kit.installed[0]


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_changed_requirements_are_installed_again(kit, name):
    kit.set_up()
    with (kit.folder / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    kit.set_up()
    assert len(kit.installed) == 2


def test_a_python_that_is_too_old_is_named(kit):
    kit.python(too_old=1, version="3.9.2")
    done = kit.set_up()
    assert done.returncode == 1
    assert "needs Python 3.11 or newer, and found: python3 is 3.9.2;" in done.stderr


def test_a_newer_python_under_another_name_is_found(kit):
    kit.python(too_old=1, version="3.9.2")
    kit.python("python3.12", version="3.12.1")
    done = kit.set_up()
    assert done.returncode == 0, done.stderr
    assert f"{kit.programs}/python3.12 (3.12.1)" in done.stdout


def test_a_chosen_python_is_taken(kit):
    kit.python("mine", version="3.13.0")
    assert "mine (3.13.0)" in kit.set_up(PYTHON="mine").stdout


def test_a_python_without_venv_says_what_to_install(kit):
    kit.python(no_venv=1)
    done = kit.set_up()
    assert done.returncode == 1
    assert "apt-get install python3.11-venv" in done.stderr


def test_a_failed_installation_is_not_taken_for_done(kit):
    kit.python(no_index=1)
    done = kit.set_up()
    assert done.returncode == 1
    assert "pip could not install" in done.stderr
    kit.set_up()
    assert len(kit.installed) == 1


def test_continuous_integration_is_make_test(tmp_path):
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "$PWD $*"\nexit 7\n', "utf-8")
    make.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([KIT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (7, f"{KIT} test")


def test_make_alone_lists_every_command():
    listed = subprocess.run(["make"], cwd=KIT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "lab", "test", "notebooks", "lint", "schema", "lock", "clean"):
        assert f"make {target} " in listed
