"""What robots, researchers, operators and the hub say to each other over HTTP, one file a noun.

Models only: fleet and hub meet here and nowhere else. Skill and delta files travel as raw bytes
beside these messages, never inside them.
"""
