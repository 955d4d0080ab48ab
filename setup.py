"""Copies the example configuration and the sample events into the package. All else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

#: What ``steward demo`` and ``steward serve`` read; steward/examples/__init__.py finds it.
EXAMPLES = (
    "steward.yml",
    "events/alertmanager-datanode-down.json",
    "events/grafana-nodemanager-down.json",
    "events/request-restart-hive.json",
    "events/tcop-event-regionserver-exit.json",
)


class BuildWithExamples(build_py):
    """An editable installation finds the files in the checkout, so that nothing is copied for it."""

    def run(self):
        super().run()
        for name in () if self.editable_mode else EXAMPLES:
            target = Path(self.build_lib, "steward", "examples", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(name, str(target))


setup(cmdclass={"build_py": BuildWithExamples})
