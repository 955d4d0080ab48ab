"""The platform's entry file: its handler is ``index.main_handler``. Any Python 3 can read it."""

import os
import sys

# The package has libraries that are compiled for Python 3.10; a checkout also runs on newer versions.
IS_PACKAGED = os.path.exists(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pydantic_core"))

if sys.version_info[:2] < (3, 10) or (IS_PACKAGED and sys.version_info[:2] != (3, 10)):
    raise RuntimeError(
        "EMR Steward needs Python 3.10, and this is Python %d.%d: choose the runtime Python 3.10 "  # noqa: UP031
        "(`runtime: Python3.10` in serverless.yml)" % tuple(sys.version_info[:2])
    )

from handler.app import main_handler  # noqa: E402 - what it imports needs that version

__all__ = ["main_handler"]
