"""The verbs: everything a user can ask for, one function each."""

from hospes.manager.verb import verbs_of
from hospes.manager.verbs import (
    disk,
    doctor,
    guest,
    images,
    machines,
    networks,
    ports,
    run,
    show,
)

VERBS = verbs_of(run, machines, guest, ports, networks, images, disk, doctor, show)
