"""The verbs: everything a user can ask for, one function each."""

from hospes.manager.verb import verbs_of
from hospes.manager.verbs import disk, doctor, guest, images, machines, ports, run, show, sockets

VERBS = verbs_of(run, machines, guest, sockets, ports, images, disk, doctor, show)
