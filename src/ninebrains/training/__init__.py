"""From a data set and a trunk to a brain with honest numbers."""
