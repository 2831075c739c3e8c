"""JupyterLab as ``python -m jupyterlab`` starts it, sooner: idc_runner puts off an import of two seconds."""

from jupyterlab.labapp import main

if __name__ == "__main__":
    main()
