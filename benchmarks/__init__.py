"""Every speed or accuracy claim, as a script that runs the peers beside us in the same run."""
