"""The hub's HTTP API: one router a noun; each route parses, calls a service and returns its message."""
