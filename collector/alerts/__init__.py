"""Telling people: what is wrong in the hubs, by the rules of the fleet's files, through Apprise."""
