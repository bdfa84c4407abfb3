"""Which version answers whom: aliases, shares, rules, shadows, promotion."""
