"""The platform's entry file: its handler is ``index.main_handler``."""

from handler.app import main_handler

__all__ = ["main_handler"]
