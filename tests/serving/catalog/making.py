"""What tests of the catalog share."""


def look(catalog, times=4):
    """Look so often that everything has settled and left."""
    for _ in range(times):
        catalog.refresh()


def states(catalog, name="pets"):
    """The state of each version of a name."""
    known = catalog.versions.get(name, {})
    return {number: version.state.value for number, version in known.items()}
