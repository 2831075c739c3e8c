"""The command line ``idc``. Each command imports what it alone needs: ``idc --help`` answers at once."""

from idc_runner.cli.application import main

__all__ = ["main"]
