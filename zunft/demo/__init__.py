"""The demo: a whole guild on this machine, measured, drawn and shown; `zunft.commands.demo` runs it."""
