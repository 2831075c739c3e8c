"""The one step of the build that pyproject.toml cannot say: notebooks and scenarios go into the wheel."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildKit(build_py):
    """Copies what a working copy is made of to ``idc_aws/data/kit``; the repository has it at the top."""

    def run(self) -> None:
        """Build the packages and add the folders; an editable installation finds them in the repository."""
        super().run()
        if self.editable_mode:
            return
        here, kit = Path(__file__).parent, Path(self.build_lib) / "idc_aws" / "data" / "kit"
        shutil.rmtree(kit, ignore_errors=True)  # an earlier build may have left what there is no more
        for name in ("notebooks", "parameters", "docs", "recipes"):
            junk = shutil.ignore_patterns(".*", "__pycache__")
            shutil.copytree(here / name, kit / name, ignore=junk, copy_function=shutil.copyfile)


setup(cmdclass={"build_py": BuildKit})
