"""Brains out of a project: exports with receipts, and a host that serves them."""
