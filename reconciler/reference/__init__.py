"""What the kinds say of themselves: the JSON Schema of manifests, and `reconciler explain`."""
