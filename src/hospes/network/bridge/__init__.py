"""A bridge of the host's as a network that machines share: made, ruled, served and removed."""
