"""Learning by itself: features of all photos, a first answer in about a second, then the full one.

labels change ─► quick fit ─► suggestions, headline ─► (all quiet) full fit ─► brain, run, advice
"""
