"""Events: what a user defined (definition, registry), what then happens (dispatch)."""
