"""Room for tables that must be contiguous: the refcount table itself and the L1 table.

A region lies in ranges of clusters that no refcount block counts yet. Their new blocks come first,
then the region, which these blocks count: nothing outside of it has to change before it is used.
"""

from typing import TYPE_CHECKING

from hospes.storage.qcow2.tables import Table

if TYPE_CHECKING:
    from hospes.storage.qcow2.metadata import Metadata


def allocate_contiguous(meta: "Metadata", count: int) -> int:
    """The first of that many consecutive host clusters, each counted once."""
    run = meta.allocate(count)
    if run.length == count:
        return run.first
    meta.refcounts.release(range(run.first, run.first + run.length))
    table = meta.refcounts.table
    index = max(n for n, word in enumerate(table.words) if word) + 1
    last = index + _block_count(meta, count) - 1
    if last >= len(table.words):
        enlarge_refcount_table(meta, max(last, len(table.words)))
        return allocate_contiguous(meta, count)
    return _begin(meta, index, count)


def enlarge_refcount_table(meta: "Metadata", index: int) -> None:
    """Move the refcount table to a larger place, so that it can name the block of this index.

    Until the header points to the new table nothing has changed; the old one's clusters are free
    once it does.
    """
    counts, old = meta.refcounts, meta.refcounts.table
    words = counts.extend_table(index)
    clusters = meta.g.clusters(8 * len(words))
    begun = len(old.words)
    blocks = _block_count(meta, clusters)
    first = begun * meta.g.block_entries + blocks
    counts.table = Table(first << meta.g.cluster_bits, words, fresh=True)
    try:
        _begin(meta, begun, clusters)
        _use_table(meta, clusters)
    except BaseException:
        counts.table = old
        for cluster in range(first - blocks, first):
            counts.blocks.drop(cluster << meta.g.cluster_bits)
            counts.reserved.discard(cluster)
        raise
    counts.reserved.update(range(first, first + clusters))
    meta.release(*meta.clusters(old.offset, 8 * len(old.words)))


def _begin(meta: "Metadata", index: int, count: int) -> int:
    """Begin blocks from this index on and a region counted by them; returns its first cluster."""
    g, counts = meta.g, meta.refcounts
    first, blocks = index * g.block_entries, _block_count(meta, count)
    taken = range(first, first + blocks + count)
    if not counts.reserved.isdisjoint(taken):
        raise meta.damage(f"metadata in clusters from {first} on, which it does not count")
    made = [counts.add_block(index + n, first + n) for n in range(blocks)]
    for n in range(len(taken)):
        made[n // g.block_entries][n % g.block_entries] = 1
    counts.note_written(taken[-1])
    return first + blocks


def _block_count(meta: "Metadata", count: int) -> int:
    """Blocks that count themselves and that many clusters more."""
    return -(-count // (meta.g.block_entries - 1))


def _use_table(meta: "Metadata", clusters: int) -> None:
    """Write a refcount table that is not in use yet, with all blocks, and begin to use it."""
    counts = meta.refcounts
    tables = [*counts.blocks.dirty(), counts.table]
    for table in tables:
        table.write_to(meta.file)
    offset = counts.table.offset
    meta.write_header(refcount_table_offset=offset, refcount_table_clusters=clusters)
    for table in tables:
        table.fresh = False
