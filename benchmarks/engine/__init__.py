"""The parts of `benchmarks.causal_engine`, one module a group of goals."""
