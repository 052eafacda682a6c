"""Devices that units read over serial lines and files, each with its protocol and its faults.

A device is bytes and time: `due(now_ns)` gives what it sends up to that time, `receive(data, now_ns)` its answer. A
`PtyPort` puts it behind a serial port that can be unplugged. Nothing here reads a clock, and one seed gives the same
bytes each time. The encoders share no line with the unit's parsers.
"""
