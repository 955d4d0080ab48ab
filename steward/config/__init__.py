"""steward.yml as people write it."""
