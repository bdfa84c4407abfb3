"""One self-contained page about a brain."""
