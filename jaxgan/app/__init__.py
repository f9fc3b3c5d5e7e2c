"""The live page: a server on this machine, and one page that edits a photograph as points and sliders move."""
