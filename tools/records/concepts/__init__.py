"""Concepts of diagnoses: spelling of codes, their names, and published maps from code to code."""
