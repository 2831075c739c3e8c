import pytest
from typer.testing import CliRunner

from idc_runner.cli.application import app


@pytest.fixture
def idc(tmp_path, monkeypatch):
    """Return a function that gives a command in this process, with a state folder of the test's own."""
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(tmp_path / "sandbox"))

    def give(*arguments, given=None, **options):
        return CliRunner().invoke(app, arguments, input=given, prog_name="idc", **options)

    return give
