import subprocess
import sys

import pytest
import typer

import idc_helpers
from idc_helpers.cli import application
from idc_helpers.errors import NotFoundError


def commands(command, name="idc"):
    yield name, command
    for child, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{name} {child}")


ALL = dict(commands(typer.main.get_command(application.app)))


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_every_option_explains_itself(name):
    command = ALL[name]
    assert command.help
    unexplained = [each.name for each in command.params if not getattr(each, "help", None)]
    assert unexplained == []


def test_the_commands_are_those_that_are_documented():
    sandbox = {
        f"idc sandbox {verb}" for verb in ("start", "stop", "status", "reset", "env", "pages", "jupyter")
    }
    assert set(ALL) == {
        "idc",
        "idc run",
        "idc batch",
        "idc undo",
        "idc lab",
        "idc init",
        "idc doctor",
        "idc sandbox",
        *sandbox,
        "idc parameters",
        "idc parameters check",
        "idc parameters schema",
    }


def test_the_version_is_the_kits(idc):
    assert idc("--version").output == f"idc {idc_helpers.__version__}\n"


def test_an_error_of_the_kit_reaches_a_person_in_words(monkeypatch, capsys):
    def refuse():
        raise NotFoundError("no run is called 'x'", remedy="Look in runs/.")

    monkeypatch.setattr(application, "app", refuse)
    with pytest.raises(SystemExit) as ended:
        application.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: no run is called 'x'\nLook in runs/.\n"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['idc', '--help']\n"
        "from idc_helpers.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'boto3', 'papermill', 'pandas', 'nbconvert', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
