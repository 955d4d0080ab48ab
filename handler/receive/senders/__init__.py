"""One file for each sender: the format of its payload, and how it becomes Events."""
