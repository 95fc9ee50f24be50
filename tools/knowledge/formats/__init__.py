"""Reading documents of every kind, without trusting any."""
