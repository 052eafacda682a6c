"""One interface, two stores."""
