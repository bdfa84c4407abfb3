"""How the trunk `octo` is trained and put into the package."""
