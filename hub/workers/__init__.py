"""Heavy work, away from the web: merging and measuring as jobs, done here, in worker processes or on Ray."""
