"""FHIR R4, read."""
