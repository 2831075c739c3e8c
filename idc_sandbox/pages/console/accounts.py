"""AWS accounts: the tree, and who may do what in each."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.console.desk import Console, Screen


def show_accounts(console: Console) -> Response:
    """Show the screen."""
    return console.show("accounts.html")


ACCOUNT_SCREENS = (Screen("/accounts", show_accounts),)
