"""The torch twins of the networks in `skills.networks`: what learns."""
