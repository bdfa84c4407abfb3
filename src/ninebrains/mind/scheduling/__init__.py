"""When which work is done: tickets, lanes, batches, on a few threads."""
