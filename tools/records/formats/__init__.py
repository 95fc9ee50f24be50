"""A reader for each format of records; all give the same cohort."""
