"""Many brains as one graph: each part that they share is computed once."""
