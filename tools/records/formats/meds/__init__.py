"""MEDS, read and written."""
