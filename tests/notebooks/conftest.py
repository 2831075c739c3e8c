import pytest
from kit_commands import Commands


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """Commands with a standing sandbox, stopped in the end whatever happens."""
    commands = Commands(tmp_path_factory.mktemp("kit"))
    commands.start_sandbox()
    yield commands
    commands.stop_sandbox()
