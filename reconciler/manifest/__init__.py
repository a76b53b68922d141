"""Manifest files → documents: mappings and lists that know the place of every value."""
