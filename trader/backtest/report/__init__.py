"""What a report is made of. The way in is metrics, summary, picture, page and shelf, one folder up."""
