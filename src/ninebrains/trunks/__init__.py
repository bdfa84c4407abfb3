"""Backbones: importing them, keeping them, finding them by name."""
