"""Projects: the spec, and how they are read and written."""

from reconciler.kinds.projects.kind import Projects

KINDS = (Projects(),)
