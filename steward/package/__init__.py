"""The zip that the platform runs."""
