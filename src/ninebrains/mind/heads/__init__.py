"""The small linear ends of brains, all of those on one trunk run together."""
