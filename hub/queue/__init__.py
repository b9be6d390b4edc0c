"""Work in the background: rows that are taken under a lease, and the threads that look for them."""
