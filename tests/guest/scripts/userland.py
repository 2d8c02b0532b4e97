"""What Debian's python3 makes of numbers, text, modules, processes and threads (in the guest)."""

import array
import bz2
import cmath
import ctypes
import datetime
import decimal
import fractions
import hashlib
import itertools
import json
import lzma
import math
import mmap
import operator
import os
import pickle
import platform
import queue
import random
import re
import signal
import socket
import sqlite3
import statistics
import struct
import subprocess
import sys
import textwrap
import threading
import time
import unicodedata
import zlib
from collections.abc import Iterable

Random = random.Random(20250809)
DATA = Random.randbytes(150_000)
TEXT = " ".join(f"{Random.getrandbits(24):x}" for _ in range(20_000))

ANYWHERE = (
    "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "asinh", "exp", "expm1", "erf", "erfc",
    "cbrt", "floor", "ceil", "trunc",
)  # fmt: skip
ABOVE_ZERO = ("sqrt", "log", "log2", "log10", "log1p", "gamma", "lgamma")


def digest(what: str, parts: Iterable[object]) -> None:
    joined = "\n".join(str(part) for part in parts)
    print(f"{what:28} {hashlib.sha256(joined.encode()).hexdigest()}")


def hashes() -> None:
    for name in sorted(hashlib.algorithms_guaranteed):
        made = hashlib.new(name, DATA)
        print(name, made.hexdigest(24) if name.startswith("shake") else made.hexdigest())
    print(hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2000).hex())
    print(hashlib.scrypt(b"password", salt=b"salt", n=64, r=8, p=1, dklen=32).hex())


def packers() -> None:
    for module, options in ((zlib, {"level": 9}), (bz2, {}), (lzma, {"preset": 1})):
        packed = module.compress(TEXT.encode(), **options)
        kept = module.decompress(packed) == TEXT.encode()
        print(module.__name__, len(packed), kept, hashlib.md5(packed).hexdigest())
    print(zlib.crc32(DATA), zlib.adler32(DATA))


def floats() -> None:
    values = [struct.unpack("<d", Random.randbytes(8))[0] for _ in range(2000)]
    finite = [value for value in values if math.isfinite(value)]
    digest("repr", map(repr, values))
    digest("hex", (value.hex() for value in finite))
    digest("17 digits", (f"{value:.17g} {value:.3e} {value:+.0f}" for value in finite[:2000]))
    digest("round trip", (float(repr(value)) == value for value in finite))
    digest("arithmetic", itertools.starmap(operator.mul, itertools.pairwise(finite)))
    digest("division", (a / b if b else 0 for a, b in itertools.pairwise(finite)))
    digest("single", (struct.unpack("<f", Random.randbytes(4))[0] for _ in range(5000)))
    digest("half", (struct.pack("<e", value / 100).hex() for value in range(-6000, 6000, 7)))
    small = [(value - 300) / 9.15 for value in range(601)]
    for name in ANYWHERE:
        digest(name, map(getattr(math, name), small))
    positive = [abs(value) + 0.01 for value in small]
    for name in ABOVE_ZERO:
        digest(name, map(getattr(math, name), positive))
    digest("pow", (a**b for a, b in zip(positive, small, strict=True) if abs(b) < 20))
    digest("fma", (math.fma(a, b, -a * b) for a, b in zip(small, positive, strict=True)))
    digest("round", (round(value, digits) for value in small for digits in (0, 1, 3)))
    digest("complex", (cmath.sqrt(cmath.exp(complex(a, -a))) for a in small[::7]))
    digest("integers", (int(value) for value in finite if abs(value) < 1e30))
    print(math.fsum(small), sum(small), statistics.stdev(small), math.dist((1, 2), (4, 6)))
    print(0.1 + 0.2, 1e22, 1e23, 5e-324, -0.0, float("nan"), 1 / 3, 1e16, 123456789.125)
    print(math.nextafter(1, 2), math.ulp(1e10), math.remainder(10, 3), divmod(-7.5, 2))


def integers() -> None:
    big = math.factorial(300)
    print(big % 10**20, pow(3, big, 2**127 - 1), big.bit_length(), math.isqrt(big) % 10**15)
    print(pow(17, -1, 10**9 + 7), math.comb(200, 100), (-7) // 2, -7 % 3, ~5, 5 ^ 9, 1 << 100)
    print(decimal.Decimal(2).sqrt(decimal.Context(prec=60)), decimal.Decimal("1.10") * 3)
    with decimal.localcontext(prec=50, rounding=decimal.ROUND_HALF_EVEN) as context:
        print(decimal.Decimal(1).exp(), decimal.Decimal(10).ln(), context.flags[decimal.Inexact])
    total = sum(fractions.Fraction(1, n) for n in range(1, 60))
    print(total, float(total), fractions.Fraction(math.pi).limit_denominator(1000))
    digest("squares modulo", (pow(Random.getrandbits(512), 2, 2**255 - 19) for _ in range(200)))
    digest("random", [Random.gauss(0, 1) for _ in range(500)] + Random.sample(range(10**6), 50))


def text() -> None:
    words = re.findall(r"\b([0-9a-f]*?(\d)\2[0-9a-f]*)\b", TEXT)
    print(len(words), words[:2], re.sub(r"(?P<x>[a-f]+)(\d+)", r"<\2\g<x>>", TEXT[:60]))
    digest("sorted", sorted(TEXT.split(), key=lambda word: (len(word), word[::-1])))
    tree = {"a": [1, 2.5, None, True, "ü\n\u2028"], "b": {"c": [{}] * 3}, "d": -1e-7}
    print(json.dumps(tree, sort_keys=True), json.loads(json.dumps(tree)) == tree)
    digest("json", [json.dumps([Random.random() for _ in range(3000)], indent=1)])
    print(unicodedata.normalize("NFD", "Ångström").encode(), "straße".upper(), "ǅ".lower())
    print(textwrap.fill(TEXT[:150], 50), f"{1234567.891:,.2f} {255:#x} {'mid':^9}|{0.256:.1%}")
    print(pickle.dumps(tree, 4).hex()[:80], len(pickle.dumps(DATA, 5)))
    print(datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC).isoformat(), 3 * (1, 2))


def machine() -> None:
    libc = ctypes.CDLL(None)
    compare_type = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.POINTER(ctypes.c_int)] * 2)
    numbers = (ctypes.c_int * 500)(*Random.sample(range(10_000), 500))
    libc.qsort(numbers, 500, 4, compare_type(lambda a, b: a[0] - b[0]))
    print(list(numbers) == sorted(numbers), numbers[:5])
    libc.snprintf.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p]
    buffer = ctypes.create_string_buffer(100)
    numbers_given = ctypes.c_double(2.5), 42, b"text", ctypes.c_double(1e9)
    libc.snprintf(buffer, 100, b"%.3f %d %s %g", *numbers_given)
    print(buffer.value)
    libm = ctypes.CDLL("libm.so.6")
    libm.powf.restype, libm.powf.argtypes = ctypes.c_float, [ctypes.c_float] * 2
    digest("powf", (libm.powf(value / 10, 1.7) for value in range(1000)))
    with mmap.mmap(-1, 1 << 20) as pages:
        pages[4096:4099] = b"map"
        print(pages.find(b"map"), pages[:2], array.array("d", [1.5, -2]).tobytes().hex())
    print(platform.machine(), sys.byteorder, struct.calcsize("P"), sys.maxsize, sys.float_info.dig)


def processes() -> None:
    line = "cat; echo error >&2; exit 7"
    ran = subprocess.run(["sh", "-c", line], input=b"through", capture_output=True, check=False)
    print(ran.stdout, ran.stderr, ran.returncode)
    read, write = os.pipe()
    for number in range(6):
        if os.fork() == 0:
            os.write(write, f"{number} {zlib.crc32(DATA * (number + 1))}\n".encode())
            os._exit(number)
    print(sorted(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(6)))
    os.close(write)
    with open(read) as lines:
        print(sorted(lines))
    try:
        subprocess.run(["sleep", "60"], timeout=0.5, check=True)
    except subprocess.TimeoutExpired as error:
        print(error)
    signal.signal(signal.SIGALRM, lambda number, frame: print("signal", number))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    signal.pause()
    before = time.monotonic()
    time.sleep(0.2)
    print(0.2 <= time.monotonic() - before < 20, time.time() > 1.7e9, time.process_time() > 0)


def threads() -> None:
    work: queue.Queue[int | None] = queue.Queue()
    done: list[int] = []
    lock = threading.Lock()

    def consume() -> None:
        while (number := work.get()) is not None:
            with lock:
                done.append(number**2)

    consumers = [threading.Thread(target=consume) for _ in range(8)]
    for consumer in consumers:
        consumer.start()
    for number in [*range(3000), *[None] * 8]:
        work.put(number)
    for consumer in consumers:
        consumer.join()
    print(len(done), sum(done))
    ours, theirs = socket.socketpair()
    sender = threading.Thread(target=lambda: (ours.sendall(DATA), ours.close()))
    sender.start()
    received = b"".join(iter(lambda: theirs.recv(5000), b""))
    sender.join()
    print(received == DATA)

    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        peer, _ = server.accept()
        client.sendall(b"over TCP")
        print(peer.recv(100))
        client.close()
        peer.close()


def database() -> None:
    with sqlite3.connect(":memory:") as base:
        base.execute("create table t (n integer primary key, word text, value real)")
        rows = [(n, word, len(word) / 7) for n, word in enumerate(TEXT.split()[:5000])]
        base.executemany("insert into t values (?, ?, ?)", rows)
        query = "select substr(word, 1, 1) w, count(*), sum(value), max(word) from t group by w"
        digest("sql", base.execute(query))
        found = base.execute("select n, word from t where word like '%abc%' order by n")
        print(found.fetchall()[:3])


def language() -> None:
    def depth(left: int) -> int:
        return depth(left - 1) + 1 if left else 0

    print(depth(800))
    naturals = itertools.count(2)
    primes = (n for n in naturals if all(n % d for d in range(2, math.isqrt(n) + 1)))
    print(list(itertools.islice(primes, 300))[-3:])
    for code in ("1 // 0", "[][1]", "{}['x']", "int('x')", "None.x", "1 +", "[0] * (1 << 62)"):
        try:
            eval(code)
        except Exception as error:
            print(type(error).__name__, error)
    print({**{n: n**2 for n in range(5)}, **dict(zip("ab", (1, 2), strict=True))})
    print("OK")


PARTS = (hashes, packers, floats, integers, text, machine, processes, threads, database, language)

if __name__ == "__main__":
    for part in PARTS:
        print("==", part.__name__, flush=True)
        part()
