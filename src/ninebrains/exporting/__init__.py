"""From a brain to artefacts for other runtimes, each with the proof that it answers the same."""
