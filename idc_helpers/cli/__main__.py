"""``python -m idc_helpers.cli``: the command line where the package is not installed."""

from idc_helpers.cli import main

main()
