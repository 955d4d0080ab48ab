"""The handlers that the function is compared with; each is deployed alone, as ``index.py``."""
