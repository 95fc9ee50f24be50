"""What may come next for one patient: candidates and forecasts."""
