"""Treatment effects over a longitudinal record: so far, the imputation of what is missing not at random."""
