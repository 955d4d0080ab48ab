"""The API as HTTP sees it: signatures, parameters and the form of the answers."""
