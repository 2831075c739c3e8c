"""The organization that the sandbox starts with, and what the rest of the sandbox asks of it."""

from __future__ import annotations

from typing import Any

from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends

from idc_sandbox.aws_double.administrator import MANAGEMENT_ACCOUNT_ID

_MANAGEMENT_NAME = "Management"
_UNITS = {
    "Security": ["Security tooling", "Log archive"],
    "Workloads": ["Development", "Production"],
}


def backend() -> Any:
    """Return moto's organization of the management account."""
    return organizations_backends[MANAGEMENT_ACCOUNT_ID]["aws"]


def create_organization() -> None:
    """Make the management account's organization: two units with two accounts each. Changes moto's memory."""
    organization = backend()
    known = set(iam_backends)
    organization.create_organization(region="us-east-1", FeatureSet="ALL")
    for account_id in set(iam_backends) - known - {MANAGEMENT_ACCOUNT_ID}:
        del iam_backends[
            account_id
        ]  # moto gives the management account's access role to an account of its invention
    organization.org.master_account_email = _email(_MANAGEMENT_NAME)
    management = organization.get_account_by_id(MANAGEMENT_ACCOUNT_ID)
    management.name, management.email = _MANAGEMENT_NAME, _email(_MANAGEMENT_NAME)
    management.joined_method = "INVITED"
    root_id = organization.org.root_id
    for unit_name, account_names in _UNITS.items():
        unit = organization.create_organizational_unit(Name=unit_name, ParentId=root_id)
        for name in account_names:
            _create_member(organization, name, root_id, unit["OrganizationalUnit"]["Id"])


def _create_member(organization: Any, name: str, root_id: str, unit_id: str) -> None:
    status = organization.create_account(AccountName=name, Email=_email(name))["CreateAccountStatus"]
    organization.move_account(
        AccountId=status["AccountId"], SourceParentId=root_id, DestinationParentId=unit_id
    )


def _email(name: str) -> str:
    return f"{name.lower().replace(' ', '-')}@example.com"


def active_account_ids() -> set[str]:
    """Return the accounts of the organization that are ACTIVE."""
    return {account.id for account in backend().accounts if account.status == "ACTIVE"}


def closed_account_ids() -> set[str]:
    """Return the accounts of the organization that are not ACTIVE: SUSPENDED, PENDING_CLOSURE."""
    return {account.id for account in backend().accounts if account.status != "ACTIVE"}


def account_name(account_id: str) -> str | None:
    """Return the name of an account of the organization, or None."""
    return next((account.name for account in backend().accounts if account.id == account_id), None)


def describe_account(account_id: str) -> tuple[str, str, str] | None:
    """Return id, name and e-mail address of an account of the organization, or None."""
    account = next((account for account in backend().accounts if account.id == account_id), None)
    return None if account is None else (account.id, account.name, account.email)


def delegated_administrators(service_principal: str) -> set[str]:
    """Return the accounts that are delegated administrators of a service such as ``sso.amazonaws.com``."""
    return {admin.account.id for admin in backend().admins if service_principal in admin.services}


def service_control_documents(account_id: str) -> list[list[str]]:
    """Return the service control policies over a member account: documents by level, root first.

    None bind the management account, and none bind anybody while the policy type is not enabled.
    """
    organization = backend()
    enabled = {kind["Type"] for unit in organization.ou if unit.type == "ROOT" for kind in unit.policy_types}
    level = next((account for account in organization.accounts if account.id == account_id), None)
    if account_id == MANAGEMENT_ACCOUNT_ID or "SERVICE_CONTROL_POLICY" not in enabled:
        return []
    levels: list[list[str]] = []
    while level is not None:
        policies = [policy for policy in level.attached_policies if policy.type == "SERVICE_CONTROL_POLICY"]
        levels.insert(0, [policy.content for policy in policies])
        parent_id = None if level.type == "ROOT" else level.parent_id
        level = next((unit for unit in organization.ou if unit.id == parent_id), None)
    return levels
