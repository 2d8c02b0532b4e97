"""The numbers as a table."""

from hospes.machine.statistics import Statistics


def test_rows() -> None:
    statistics = Statistics(
        "threaded", 3_000_000, 2.0, {"guest": 1.5, "idle": 0.5}, {"wfi": 7}, {"uart": 9},
        {"DBCN": 2}, {"tlb_misses": 1234},
    )  # fmt: skip
    assert statistics.instructions_per_second == 2_000_000
    rows = statistics.rows()
    assert ("run", "retired instructions", "3,000,000") in rows
    assert ("run", "guest instructions/s", "2,000,000") in rows
    assert ("time", "guest", "1.500 s (75%)") in rows
    assert ("exits", "wfi", "7") in rows
    assert ("engine", "tlb misses", "1,234") in rows


def test_nothing_has_run_yet() -> None:
    assert Statistics("reference", 0, 0.0).instructions_per_second == 0
    assert Statistics("reference", 0, 0.0, {"guest": 0.0}).rows()
