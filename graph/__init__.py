"""The wiring: typed states and the graphs."""
