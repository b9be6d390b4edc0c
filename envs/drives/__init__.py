"""How actions become motion, one file a kind of robot; `envs.drives.base` says what they share."""
