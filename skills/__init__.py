"""Zunft skills: the artefact that robots share. numpy only; no torch, no Ray, no web."""
