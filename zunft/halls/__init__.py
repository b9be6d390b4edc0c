"""A hall as a robot of a larger hall: the fleet's client on one side, the hub's services on the other."""
