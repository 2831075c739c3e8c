"""What `idc lab` adds to JupyterLab."""
