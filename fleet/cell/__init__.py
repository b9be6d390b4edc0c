"""A simulated cell as a process of its own, behind a socket: what `zunft robot cell` runs, with faults to order."""
