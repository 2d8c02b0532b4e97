"""The verbs: everything a user can ask for, one function each."""

from hospes.manager.verb import verbs_of
from hospes.manager.verbs import disk, doctor, images, run, show

VERBS = verbs_of(run, images, disk, doctor, show)
