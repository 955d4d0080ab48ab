"""Builds the zip that the platform runs."""
