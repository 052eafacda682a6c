"""A world in one thread: the real agent and collector code, with a seeded clock, network and disk.

What is real: unit, agent, outbox, delivery and dispatch; ingest, pipeline, ledger, holes, live view and the embedded
store, all on SQLite files in memory (tmpfs). What is simulated: sensors, MQTT (broker and both clients), time, and
crashes. Rollups, alerts, pages and InfluxDB are not in it; `make faults` has real servers.
"""
