"""The main job, told step by step on real purchases: `python -m carnet_local.demo`, behind `make demo`.

Runs through the public API only, in a chain of its own that is new with every run, so that it can be repeated.
"""
