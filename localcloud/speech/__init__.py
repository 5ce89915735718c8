"""Speech recognition for the stand-in cloud: real English by PocketSphinx, or scripted for tests."""
