"""How segments run fastest on this machine, found by measuring and remembered."""
