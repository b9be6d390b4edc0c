"""Machines that wear: what is usual for each kind, of sums that robots send, and who says that it is worn."""
