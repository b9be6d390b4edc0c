"""Zunft command line and demo: wires skills, envs, fleet and hub together; no logic of their own."""
