"""`reconciler fmt`: one layout for manifests, without a change of their meaning."""
