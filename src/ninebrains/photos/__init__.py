"""Folders and tables of photos to a data set; its splits and its audit."""
