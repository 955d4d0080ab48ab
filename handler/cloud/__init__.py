"""The cloud: the official SDK behind one gateway."""
