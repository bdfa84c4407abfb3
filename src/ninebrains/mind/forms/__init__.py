"""A network as what it computes: every value named by its Merkle hash; read, cut, written again."""
