"""Health records in, one cohort out."""
