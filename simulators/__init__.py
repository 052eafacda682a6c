"""People, devices and hubs that are not there, driving the real agent and collector."""
