"""How many files a reader has to open to follow one permission set, and one click on Apply."""

import re
import subprocess
import sys

from patience import PATIENCE_S

from idc_aws.project import project_folder

MOST = {"From YAML to check": 30, "From click to boto3": 8}


def test_the_way_of_a_permission_set_and_of_a_click_stays_short():
    script = project_folder() / "tools/files_entered.py"
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    found = re.findall(r"^(From [^,:]+): (\d+) files$", done.stdout, re.M)
    counts = {flow: int(number) for flow, number in found}
    assert counts.keys() == MOST.keys()
    assert not {flow: done.stdout for flow, number in counts.items() if number > MOST[flow]}
