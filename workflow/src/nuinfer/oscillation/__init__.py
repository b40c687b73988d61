"""Neutrino oscillations at the far detector."""
