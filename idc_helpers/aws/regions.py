"""The Regions that have Identity Center, as the installed SDK knows them: no call is made.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/regions.html
"""

from __future__ import annotations

from functools import cache

import boto3


@cache
def identity_center_regions() -> tuple[str, ...]:
    """Return the codes of AWS's commercial Regions with Identity Center, sorted."""
    return tuple(sorted(boto3.Session().get_available_regions("sso-admin", partition_name="aws")))
