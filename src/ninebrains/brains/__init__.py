"""The artefact: one deployable model as data, how it is stored, checked and run."""
