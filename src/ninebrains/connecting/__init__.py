"""Talking to a host elsewhere as if it were here."""
