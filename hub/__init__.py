"""The guild hall: catalogue, rounds, merging, gate and republishing behind one HTTP API."""
