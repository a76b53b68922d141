"""Live state to manifests."""
