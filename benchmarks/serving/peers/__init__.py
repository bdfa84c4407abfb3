"""Peers, each in an environment of its own: the same files, photos and preprocessing as ours."""
