"""Fetching documents from their publishers: one door, and one reader a publisher."""
