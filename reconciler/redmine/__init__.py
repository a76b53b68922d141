"""HTTP to a Redmine: the only package that sends requests."""
