"""`scribe doctor`: checks of a deployment. `runner.py` lists them in order, `checks/` holds them by topic."""
