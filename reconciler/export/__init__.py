"""Live state → manifests."""
