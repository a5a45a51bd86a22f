"""What pyproject.toml cannot say: the examples, which stand beside the package, are part of a wheel."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithExamples(build_py):
    """Copies the examples into the package; an editable install finds them where they are."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if not self.editable_mode:
            shutil.copytree("examples", Path(self.build_lib, "hds", "examples"), dirs_exist_ok=True)


setup(cmdclass={"build_py": WithExamples})
