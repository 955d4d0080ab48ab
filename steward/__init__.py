"""The steward command: check a configuration, simulate, operate, package, deploy."""
