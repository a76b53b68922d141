"""Issues, by station: the spec, how they are read, identified, written and exported."""

from reconciler.kinds.issues.kind import Issues

KINDS = (Issues(),)
