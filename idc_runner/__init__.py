"""Headless execution: the notebooks in order through papermill, with progress, a summary and a report."""

from idc_runner.lazy_imports import put_off_slow_imports

put_off_slow_imports()  # before anything here reads a notebook
