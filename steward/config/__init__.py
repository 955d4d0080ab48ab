"""The file steward.yml, as people write it: read, validated and compiled."""
