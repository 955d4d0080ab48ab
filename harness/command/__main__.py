"""``python -m harness.command``."""

from harness.command import main

main()
