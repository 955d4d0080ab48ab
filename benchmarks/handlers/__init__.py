"""What the function is measured against: each file is deployed alone, as ``index.py``."""
