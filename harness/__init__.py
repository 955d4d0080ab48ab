"""The cloud on a laptop: the fake EMR API, the function's emulator and the `steward` command. Never deployed."""
