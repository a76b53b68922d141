"""Carries out a plan: sends its requests, reads back what was written, reports on each change."""
