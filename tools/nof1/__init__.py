"""Does this exposure change this outcome in this one person: series, model, priors."""
