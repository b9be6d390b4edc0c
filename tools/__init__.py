"""Scripts for those who work on Zunft itself."""
