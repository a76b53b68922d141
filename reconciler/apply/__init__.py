"""Applies a plan: sends its requests, reads back what was written, and reports the outcome of each change."""
