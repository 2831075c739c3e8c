"""``sso``, the access portal's API: which accounts and roles a person has, and credentials for them.

Importing the package registers its operations.
"""

from idc_sandbox.api.portal import operations

__all__ = ["operations"]
