"""``python -m idc_runner.cli``: the command line where the package is not installed."""

from idc_runner.cli.application import main

main()
