"""What pages show, read from the hub's services in one go, a file a noun; no web framework."""
