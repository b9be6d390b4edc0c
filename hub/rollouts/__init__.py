"""Roll-outs: a version reaches robots ring by ring, and goes back where it fails them."""
