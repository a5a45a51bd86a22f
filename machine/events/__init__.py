"""Events: what can trigger (catalog), what a user defined (definition, registry), what then happens (dispatch)."""
