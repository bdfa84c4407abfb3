"""Brains in a web page: installable, offline, and nothing leaves the device."""
