"""Networks whose every number is worked out: passes forward and back, and where their weights come from."""
