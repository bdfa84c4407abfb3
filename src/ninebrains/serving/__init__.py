"""Brains behind HTTP and gRPC: versions, traffic, feedback, metrics."""
