"""The two states that a plan compares: the desired state of the manifests, and the live state of the server."""
