"""Files to documents: what a manifest says, with the place of every value."""
