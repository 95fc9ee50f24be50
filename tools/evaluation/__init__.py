"""Evaluation: splits, metrics and what a predictor has to beat."""
