"""What was asked, sent and seen, kept outside the function."""
