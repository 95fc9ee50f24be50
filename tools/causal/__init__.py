"""Causal engines over binary diagnosis data."""
