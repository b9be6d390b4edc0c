"""What runs beside a hub or over all of it: backup, restore, rebuild, gauges."""
