"""Typed errors and what keeps patients and users safe."""
