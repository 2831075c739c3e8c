"""Headless execution: the notebooks in order through papermill, with progress, a summary and a report."""
