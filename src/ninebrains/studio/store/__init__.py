"""A project's index in SQLite: photos, labels, and every labelling step with its way back."""
