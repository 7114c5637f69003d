"""What a search is made of. The way in is space, search, workers, walkforward and optimise, one folder up."""
