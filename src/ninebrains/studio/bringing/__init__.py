"""Photos into a project: from uploads, zips, folders in place, the webcam, kept feedback."""
