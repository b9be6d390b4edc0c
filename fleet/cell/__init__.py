"""A simulated cell behind a socket, with faults to order: what `zunft robot cell` runs."""
