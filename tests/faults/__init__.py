"""Real processes under faults: `make faults`."""
