"""The reference of the kinds: JSON Schemas, `reconciler explain` and docs/reference.md."""
