"""Tasks that are published through the hub: taken in, checked in a worker, listed, handed out."""
