"""The instance of Identity Center, and the settings that belong to the whole of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from idc_helpers.errors import InvalidValueError
from idc_helpers.models.base import Model
from idc_helpers.models.texts import (
    AccountIdOrName,
    AttributeKey,
    AttributeSource,
    InstanceName,
    Subdomain,
    Tags,
    shortened,
)


def _names_an_attribute(source: str) -> str:
    if not (source.startswith("${") and source.endswith("}") and source[2:-1].strip()):
        raise InvalidValueError(
            f"{shortened(source)} does not name an attribute of a user",
            remedy="Write it as '${path:enterprise.costCenter}', dollar sign and braces included.",
        )
    return source


class Instance(Model):
    """The instance: what kind it is, and what it is called.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/identity-center-instances.html
    """

    kind: Literal["organization", "account"] = Field(
        default="organization",
        description="'organization': enabled in the console, once, from the management account; it can "
        "give access to AWS accounts. 'account': for one account only, without permission sets.",
    )
    name: InstanceName | None = Field(
        default=None, description="The instance's name, without blanks. Empty: leave it as it is."
    )
    tags: Tags = Field(default_factory=dict, description="Tags of the instance: key and value, at most 75.")


class AccessControlAttributes(Model):
    """Attributes for access control (ABAC): what a session carries about its user.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_InstanceAccessControlAttributeConfiguration.html
    """

    attributes: dict[AttributeKey, Annotated[AttributeSource, AfterValidator(_names_an_attribute)]] = Field(
        description="The key that policies see as aws:PrincipalTag/KEY, and the user's attribute that it "
        "is taken from, such as '${path:enterprise.costCenter}'; at most 50.",
        max_length=50,
    )


class IdentitySource(Model):
    """Where users come from; the kit checks it and never changes it, for a change can delete users.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source.html
    """

    type: Literal["identity_center_directory", "active_directory", "external_identity_provider"] = Field(
        default="identity_center_directory", description="Where users and groups are kept."
    )
    authentication_method: Literal["password", "active_directory", "saml_2_0"] = Field(
        default="password", description="How users prove who they are."
    )
    provisioning_method: Literal["direct", "scim", "manual"] = Field(
        default="direct",
        description="How users get in: 'direct' (made here), 'scim' (from a provider) or 'manual'.",
    )


class AccessPortal(Model):
    """The page on which people sign in.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/howtochangeURL.html
    """

    subdomain: Subdomain | None = Field(
        default=None,
        description="The first part of https://SUBDOMAIN.awsapps.com/start. It can be set once, in the "
        "console only, and never again. Empty: keep the address that AWS gave.",
    )


class Management(Model):
    """Who administers Identity Center.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
    """

    delegated_administrator: AccountIdOrName | None = Field(
        default=None,
        description="The member account that may administer Identity Center: its id in quotes, or its name. "
        "Empty: leave it as it is.",
    )
