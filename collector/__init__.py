"""What runs on a server: events in, time series and answers out."""
