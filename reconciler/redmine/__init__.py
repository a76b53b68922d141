"""The REST client: the only package that sends requests."""
