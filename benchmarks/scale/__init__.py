"""Scale, measured and on paper: real robots on one hub, and a simulation with what each thing took there."""
