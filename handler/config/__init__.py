"""Settings from the environment, and the packaged configuration as values."""
