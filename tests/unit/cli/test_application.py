import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer

import idc_helpers
from idc_aws.errors import NotFoundError
from idc_runner.cli import application


def commands(command, name="idc"):
    yield name, command
    for child, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{name} {child}")


@pytest.fixture
def idc_process(monkeypatch, capsys):
    """Return a function that runs a command as in a shell that stands in a folder."""

    def run(*arguments, cwd, before=lambda: None):
        monkeypatch.chdir(cwd)
        before()
        monkeypatch.setattr(sys, "argv", ["idc", *arguments])
        with pytest.raises(SystemExit) as ended:
            application.main()
        return SimpleNamespace(returncode=ended.value.code, **capsys.readouterr()._asdict())

    return run


ALL = dict(commands(typer.main.get_command(application.app)))


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_every_option_explains_itself(name):
    command = ALL[name]
    assert command.help
    unexplained = [each.name for each in command.params if not getattr(each, "help", None)]
    assert unexplained == []


GROUPS = [name for name, command in ALL.items() if hasattr(command, "commands")]


@pytest.mark.parametrize("name", GROUPS)
def test_a_list_of_commands_says_what_each_does_in_a_sentence_that_is_not_cut_off(name):
    shown = ALL[name].get_help(
        typer.Context(ALL[name], info_name=name, max_content_width=80, terminal_width=80)
    )
    lines = shown.partition("Commands:\n")[2].splitlines()
    assert len(lines) == len(ALL[name].commands)
    assert [line for line in lines if line.endswith("...")] == []


def test_a_value_that_no_option_takes_is_refused_in_words(idc_process, tmp_path):
    refused = idc_process("run", "--mode", "aply", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.err.endswith("Invalid value for '--mode': 'aply' is not one of 'plan', 'apply'.\n")


def test_the_commands_are_those_that_are_documented():
    sandbox = {
        f"idc sandbox {verb}"
        for verb in ("start", "stop", "status", "reset", "env", "pages", "jupyter", "clock", "switches")
    }
    assert set(ALL) == {
        "idc",
        "idc run",
        "idc plan",
        "idc apply",
        "idc drift",
        "idc batch",
        "idc undo",
        "idc lab",
        "idc init",
        "idc doctor",
        "idc import",
        "idc sandbox",
        *sandbox,
        "idc table",
        "idc table template",
        "idc table to-scenario",
        "idc table from-scenario",
        "idc parameters",
        "idc parameters check",
        "idc parameters schema",
    }


def test_the_version_is_the_kits(idc):
    assert idc("--version").output == f"idc {idc_helpers.__version__}\n"


def test_what_the_system_refuses_reaches_a_person_in_words(idc_process, tmp_path):
    (tmp_path / "file").write_text("")
    done = idc_process("parameters", "schema", "--out", "file/schema.json", cwd=tmp_path)
    assert done.returncode == 1
    assert done.err.startswith("error: 'file/schema.json': Not a directory.\nCheck the path")


@pytest.mark.parametrize("arguments", [("run",), ("undo", "latest"), ("init", "x"), ("batch", "x")])
def test_a_folder_that_was_deleted_meanwhile_is_said(idc_process, tmp_path, arguments):
    gone = tmp_path / "gone"
    gone.mkdir()
    done = idc_process(*arguments, cwd=gone, before=gone.rmdir)
    assert (done.returncode, done.out) == (1, "")
    assert done.err.startswith("error: the folder that you are in was deleted.\nGo to one that exists")


def test_a_path_that_no_file_of_a_run_could_hold_is_refused(idc_process, tmp_path):
    done = idc_process("run", "-f", "caf\udce9.yaml", cwd=tmp_path)
    assert (done.returncode, done.out) == (1, "")
    assert done.err.startswith("error: 'caf\\udce9.yaml' is not text in UTF-8.\nRename the file")


def test_an_error_of_the_kit_reaches_a_person_in_words(monkeypatch, capsys):
    def refuse():
        raise NotFoundError("no run is called 'x'", remedy="Look in runs/.")

    monkeypatch.setattr(application, "app", refuse)
    with pytest.raises(SystemExit) as ended:
        application.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: no run is called 'x'\nLook in runs/.\n"


def test_a_command_ends_without_a_look_at_all_that_it_made():
    code = (
        "import gc, sys; sys.argv = ['idc', '--version']\n"
        "from idc_runner.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(len(gc.get_objects()), gc.get_freeze_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    looked_at, kept = map(int, done.stdout.splitlines()[-1].split())
    assert looked_at < 1_000 < kept


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['idc', '--help']\n"
        "from idc_runner.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'boto3', 'papermill', 'pandas', 'nbconvert', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
