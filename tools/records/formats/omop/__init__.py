"""OMOP common data model, read."""
