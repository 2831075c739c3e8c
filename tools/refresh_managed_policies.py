"""Write the list of AWS managed policies that the kit carries.

Run it after moto was updated::

    python tools/refresh_managed_policies.py

The list comes from moto, which tests install anyway; the helper package itself does not need moto.
"""

from __future__ import annotations

import json
from pathlib import Path

from moto.iam.aws_managed_policies import aws_managed_policies_data

TARGET = Path(__file__).parents[1] / "idc_aws" / "data" / "aws_managed_policies.txt"
HEADER = "# The AWS managed policies, with their paths. Written by tools/refresh_managed_policies.py.\n"


def managed_policies_text() -> str:
    """Return the file's text: one policy a line, its path before its name, in the order of the names."""
    policies = json.loads(aws_managed_policies_data)
    lines = [f"{policies[name]['Path'].lstrip('/')}{name}\n" for name in sorted(policies)]
    return HEADER + "".join(lines)


if __name__ == "__main__":
    TARGET.write_text(managed_policies_text(), encoding="utf-8")
    print(f"{TARGET}: {len(managed_policies_text().splitlines()) - 1} policies")
