"""The function wired to a fake cloud, on a fake platform."""
