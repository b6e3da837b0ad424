"""Events: how they get in over HTTP."""
