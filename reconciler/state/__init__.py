"""The two states that a plan compares: what manifests declare, and what is live."""
