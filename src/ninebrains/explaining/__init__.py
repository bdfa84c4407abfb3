"""Heat maps laid over photos."""
