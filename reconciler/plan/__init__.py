"""Desired and live state to a plan: what to do, in which order, as data."""
