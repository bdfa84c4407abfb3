"""The HTTP side of a host: routes, what guards them, and the forms of answers and errors."""
