"""``account-access`` and its runtime: IAM roles for people; importing it registers the operations."""

# What each does: https://docs.aws.amazon.com/account-access/latest/APIReference/API_Operations.html
from idc_sandbox.api.account_access import access_applications, access_runtime

__all__ = ["access_applications", "access_runtime"]
