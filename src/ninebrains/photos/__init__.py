"""Folders and tables of photos to a data set; looking at each photo; splits; the audit."""

from ninebrains.photos.auditing import Audit, audit
from ninebrains.photos.dataset import (
    Dataset,
    Photo,
    Problem,
    Task,
    data_fingerprint,
    printable,
    require_distinct,
    require_trainable,
    shortened,
)
from ninebrains.photos.duplicates import Duplicates, duplicate_groups
from ninebrains.photos.facts import PhotoFacts, examine, examine_all
from ninebrains.photos.reading import find_photos, read_dataset
from ninebrains.photos.sources import Source, open_source
from ninebrains.photos.splitting import Split, learn_from_all, split_photos

__all__ = [
    "Audit",
    "Dataset",
    "Duplicates",
    "Photo",
    "PhotoFacts",
    "Problem",
    "Source",
    "Split",
    "Task",
    "audit",
    "data_fingerprint",
    "duplicate_groups",
    "examine",
    "examine_all",
    "find_photos",
    "learn_from_all",
    "open_source",
    "printable",
    "shortened",
    "read_dataset",
    "require_distinct",
    "require_trainable",
    "split_photos",
]
