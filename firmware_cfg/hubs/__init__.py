"""The example fleet: one file a hub."""
