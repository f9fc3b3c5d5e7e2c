"""Load on `jaxgan app`: pages that drag points, what they wait, and whether any gets what is another's.

python benchmarks/app_load.py                                      # 20 pages for 30 s
python benchmarks/app_load.py --clients 1 --rate 60 --seconds 5    # one user

Starts the server, uploads the photograph of docs/examples once for each page, and moves a point, numbered and by a distance of
the page's own, so that each answer shows what it answers. Newer moves take the place of older ones that wait, so not all are
answered; the last one must be.
"""

import argparse
import asyncio
import http.client
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from websockets.asyncio.client import connect

from jaxgan.app.messages import unpack

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "docs" / "examples" / "source.jpg"
BOUNDARY = "jaxgan-load"
POINT = 8  # the chin
PATIENCE = 30.0  # seconds for the last answer
EXACT = 0.03  # px: points are sent with two digits


class Seen(NamedTuple):
    """What one page saw."""

    sent: int
    latencies: list[float]  # seconds from a move to its answer
    lost: bool  # whether the last move was not answered
    mixed: int  # answers that belong to another move or page
    failed: int  # moves answered by an error


def upload(port: int) -> dict:
    """Uploads the photograph; returns the header of the answer."""
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n'.encode()
    body = start + PHOTO.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Origin": f"http://127.0.0.1:{port}"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/photo", body, headers)
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"upload: {response.status} {response.read().decode()}")
    return unpack(response.read())[0]


def offset(page: int, seq: int) -> tuple[float, float]:
    """How far a page's move `seq` drags the point: a circle, shifted by what belongs to the page alone."""
    return round(4 * math.cos(seq / 10) + page / 10, 2), round(4 * math.sin(seq / 10), 2)


async def drag(port: int, page: int, header: dict, rate: float, seconds: float) -> Seen:
    """One page: sends moves at a rate [1/s] and takes what comes."""
    sent_at, latencies, mixed, failed = {}, [], 0, 0
    own, last = np.array(header["points"]), asyncio.Event()
    count = round(rate * seconds)

    async def take() -> None:
        nonlocal mixed, failed
        async for message in socket:
            now = time.perf_counter()
            answer = json.loads(message) if isinstance(message, str) else unpack(message)[0]
            if answer["type"] != "edited":
                failed += 1
                continue
            seq = answer["seq"]
            latencies.append(now - sent_at[seq])
            moved = np.array(answer["points"]) - own
            mixed += bool(np.abs(moved[POINT] - offset(page, seq)).max() > EXACT)
            if seq == count:
                last.set()

    url, origin = f"ws://127.0.0.1:{port}/live/{header['session']}", f"http://127.0.0.1:{port}"
    async with connect(url, origin=origin, compression=None, max_size=2**24) as socket:
        taking = asyncio.create_task(take())
        start = time.perf_counter()
        for seq in range(1, count + 1):
            await asyncio.sleep(max(0.0, start + seq / rate - time.perf_counter()))
            offsets = [[0, 0]] * 68
            offsets[POINT] = list(offset(page, seq))
            sent_at[seq] = time.perf_counter()
            await socket.send(json.dumps({"type": "edit", "seq": seq, "edit": {"offsets": offsets}}))
        try:
            await asyncio.wait_for(last.wait(), PATIENCE)
        except TimeoutError:
            pass
        taking.cancel()
    return Seen(count, latencies, not last.is_set(), mixed, failed)


def memory(process: int) -> float:
    """Resident memory of a process in MB; NaN where the system does not say."""
    try:
        found = re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        found = None
    return int(found[1]) / 1000 if found else math.nan


async def measure(port: int, process: int, args: argparse.Namespace) -> None:
    """Runs all pages and prints what they saw."""
    headers = [await asyncio.to_thread(upload, port) for _ in range(args.clients)]
    before = memory(process)
    pages = (drag(port, page, header, args.rate, args.seconds) for page, header in enumerate(headers))
    seen = await asyncio.gather(*pages)
    latencies = 1000 * np.array([latency for each in seen for latency in each.latencies])
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}")
    print(f"pages                 {len(seen)}, {args.rate:g} moves a second each, for {args.seconds:g} s")
    print(f"moves, answers        {sum(each.sent for each in seen)}, {len(latencies)}")
    print(f"edits a second        {len(latencies) / args.seconds:.1f}")
    print(f"latency [ms]          median {np.median(latencies):.0f}, 95th percentile {np.percentile(latencies, 95):.0f}")
    print(f"memory [MB]           {before:.0f} at the start, {memory(process):.0f} at the end")
    print(f"last moves unanswered {sum(each.lost for each in seen)}")
    print(f"answers mixed up      {sum(each.mixed for each in seen)}")
    print(f"errors                {sum(each.failed for each in seen)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--rate", type=float, default=60.0, help="moves a second of each")
    parser.add_argument("--seconds", type=float, default=30.0)
    args = parser.parse_args()
    command = [sys.executable, "-m", "jaxgan", "app", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            start = time.perf_counter()
            port = next(int(found[1]) for line in server.stdout if (found := re.search(r":(\d+)/ is ready", line)))
            print(f"ready after           {time.perf_counter() - start:.1f} s")
            asyncio.run(measure(port, server.pid, args))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
