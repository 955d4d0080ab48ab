"""Pure decisions: what is asked, what may proceed, and whether it helped."""
