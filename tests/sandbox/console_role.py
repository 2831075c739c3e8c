"""A person at the practice console with a role from the access portal."""

from __future__ import annotations

import json


def come_with_role(place, policy_name="ReadOnlyAccess", *, denied=()):
    """Return a browser of ``ana``'s, in at the console with an AWS managed policy's rights, without some."""
    account_id = place.clients.management_account_id
    arn = place.portal.add_permission_set(policy_name, policy_name)
    if denied:
        statement = {"Effect": "Deny", "Action": list(denied), "Resource": "*"}
        place.portal.sso_admin.put_inline_policy_to_permission_set(
            InstanceArn=place.portal.instance["InstanceArn"],
            PermissionSetArn=arn,
            InlinePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
    place.portal.assign(arn, account_id)
    place.set_mfa(prompt="never")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    visitor.open(f"/start/console?account_id={account_id}&role_name={policy_name}")
    visitor.send("/practice-console/enter", account_id=account_id, role_name=policy_name)
    return visitor
