"""Ninebrains: from a folder of photos to a tested vision model in seconds."""

__version__ = "0.1.0"
