"""Applications: none here, and what they would be."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.console.desk import ROOT, Console, Screen

_PATH = f"{ROOT}/applications"
_TABS = (("AWS managed", _PATH), ("Customer managed", f"{_PATH}?tab=customer-managed"))


def show_applications(console: Console) -> Response:
    """Show the applications of one kind."""
    if console.instance is None:
        return console.go("")
    found = console.items("sso-admin", "ListApplications", InstanceArn=console.instance["InstanceArn"])
    is_customer_managed = console.query("tab") == "customer-managed"
    return console.show(
        "applications.html",
        tabs=_TABS,
        here=_TABS[is_customer_managed][1],
        is_customer_managed=is_customer_managed,
        applications=found,
    )


APPLICATION_SCREENS = (Screen("/applications", show_applications),)
