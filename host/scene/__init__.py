"""Scenes: beds and objects in space, as data that can be filled, checked, written and read."""
