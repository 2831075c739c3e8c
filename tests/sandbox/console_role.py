"""A person at the practice console with a role from the access portal."""

from __future__ import annotations


def come_with_role(place, policy_name="ReadOnlyAccess"):
    """Return a browser of ``ana``'s, in at the console with the rights of an AWS managed policy."""
    account_id = place.clients.management_account_id
    arn = place.portal.add_permission_set(policy_name, policy_name)
    place.portal.assign(arn, account_id)
    place.set_mfa(prompt="never")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    visitor.open(f"/start/console?account_id={account_id}&role_name={policy_name}")
    visitor.send("/practice-console/enter", account_id=account_id, role_name=policy_name)
    return visitor
