"""Others' published results with our merging, and the same guild through Flower."""
