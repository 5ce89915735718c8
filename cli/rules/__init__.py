"""rules.yml and files of hot words: read from the checkout, checked, and compiled for the functions."""
