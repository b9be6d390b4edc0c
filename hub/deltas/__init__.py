"""What robots send: large files in parts, and the admission of deltas."""
