"""`scribe doctor`: checks of a deployment. `checks/` lists and holds them, `runner.py` runs them."""
