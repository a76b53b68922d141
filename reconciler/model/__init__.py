"""What the engine knows of a kind: its contract, the fields of its spec and how their values travel, names and ids."""
