"""What moves a robot with a skill: a loop at the contract's rate, guards, and a stop that stays."""
