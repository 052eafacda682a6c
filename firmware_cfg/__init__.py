"""What units and collector agree on: messages, topics, and the configuration of hubs and units."""
