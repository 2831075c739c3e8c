"""Enable, Dashboard, and the end of an instance."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.desk import ROOT, Console, Screen

# https://docs.aws.amazon.com/singlesignon/latest/userguide/enable-identity-center.html
_KINDS = (
    ("single", "Single-Region instance", "An AWS owned key encrypts it, permission sets are on. No cost."),
    ("multi", "Multi-Region instance", "Needs a customer managed multi-Region key, which AWS bills."),
    ("custom", "Custom instance", "Choose the key and whether permission sets are on."),
)


def show_home(console: Console) -> Response:
    """Show the dashboard, or the page that enables Identity Center where there is none."""
    instance = console.instance
    if instance is None:
        return show_enable(console)
    settings = console.do("GET", "settings", instance_arn=instance["InstanceArn"])
    return console.show("dashboard.html", instance=instance, settings=settings)


def show_enable(console: Console) -> Response:
    """Show what enabling asks for."""
    if console.instance is not None and not console.problem:
        return console.go("")
    return console.show("enable.html", kinds=_KINDS, account_id=console.context.caller.account_id)


def take_enable(console: Console) -> Response:
    """Enable Identity Center in the console's Region."""
    kind = console.form.get("kind", "")
    if kind not in [name for name, *_ in _KINDS]:
        raise validation_error("Choose one of the three kinds of instance.")
    if kind == "multi" or console.form.get("key", "aws") != "aws":
        raise validation_error(
            "A customer managed key lives in AWS KMS, and this sandbox has none. Take the AWS owned key."
        )
    console.do("POST", "instance", region="us-east-1")
    return console.go("", "enabled")


def show_delete(console: Console) -> Response:
    """Show what deleting the instance takes along, and what is to be typed."""
    instance = console.instance
    if instance is None:
        return console.go("")
    return console.show(
        "delete.html",
        instance=instance,
        instance_id=_instance_id(instance),
        crumbs=(("Settings", f"{ROOT}/settings"),),
    )


def take_delete(console: Console) -> Response:
    """Delete the instance, when all that goes along is ticked and its id is typed."""
    instance = console.instance
    if instance is None:
        return console.go("")
    ticked = set(console.form.getlist("goes"))
    if ticked != {"identities", "assignments", "permission-sets", "applications"}:
        raise validation_error("Tick all four: what they name is deleted along with the instance.")
    if console.form.get("typed", "").strip() != _instance_id(instance):
        raise validation_error(f"Type the instance ID {_instance_id(instance)} to confirm.")
    console.call("sso-admin", "DeleteInstance", InstanceArn=instance["InstanceArn"])
    return console.go("", "instance-deleted")


def _instance_id(instance: dict[str, str]) -> str:
    return instance["InstanceArn"].rpartition("/")[2]


INSTANCE_SCREENS = (
    Screen("", show_home),
    Screen("/enable", show_enable, take_enable),
    Screen("/delete", show_delete, take_delete),
)
