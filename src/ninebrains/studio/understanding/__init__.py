"""What brains know and where they fail: heat maps, the map of features, slices, comparisons."""
