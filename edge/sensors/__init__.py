"""Sensor kinds, one file each."""
