"""The values that the rooms of the function hand to each other."""
