"""The engine: turns a checked graph into a plan and runs it block by block."""
