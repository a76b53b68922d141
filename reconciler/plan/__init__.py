"""Desired and live state → plan: the changes and their order, as data."""
