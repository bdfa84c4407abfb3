"""What `trunk_probe.py` is made of: sets, splits, features, heads and the chart."""
