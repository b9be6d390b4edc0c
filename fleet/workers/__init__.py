"""Where a simulated fleet's robots work: spawned processes, or actors on a Ray cluster."""
