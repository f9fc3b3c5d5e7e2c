"""Jobs run in order, in one thread; long ones give way; too many are refused."""

import asyncio
import threading

import pytest

from jaxgan.app import worker as worker_module
from jaxgan.app.worker import BusyError, Stopped, Worker


def with_worker(use):
    async def run():
        worker = Worker()
        try:
            return await use(worker)
        finally:
            worker.stop()

    return asyncio.run(run())


def test_jobs_run_in_order_in_one_thread():
    async def use(worker):
        return await asyncio.gather(*(worker.run(lambda i=i: (i, threading.get_ident())) for i in range(20)))

    done = with_worker(use)
    assert [number for number, _ in done] == [*range(20)] and len({thread for _, thread in done}) == 1
    assert done[0][1] != threading.get_ident()


def test_a_long_job_gives_way_to_short_ones():
    async def use(worker):
        order, go = [], threading.Event()

        def long():
            go.wait(10)
            order.append("long begins")
            worker.give_way()
            order.append("long ends")

        running = asyncio.create_task(worker.run_long(long))
        await asyncio.sleep(0)
        short = asyncio.create_task(worker.run(order.append, "short"))
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(running, short)
        return order

    assert with_worker(use) == ["long begins", "short", "long ends"]


def test_errors_reach_whoever_waits_and_the_worker_goes_on():
    async def use(worker):
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 / 0)
        return await worker.run(lambda: "fine")

    assert with_worker(use) == "fine"


def test_too_many_jobs_are_refused(monkeypatch):
    monkeypatch.setattr(worker_module, "WAITING", 2)

    async def use(worker):
        go = threading.Event()
        tasks = [asyncio.create_task(worker.run(go.wait, 10))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(worker.run(int)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="try again"):
            await worker.run(int)
        go.set()
        await asyncio.gather(*tasks)

    with_worker(use)


def test_stopping_ends_a_long_job():
    async def use(worker):
        begun = threading.Event()

        def long():
            begun.set()
            while True:
                worker.give_way()

        running = asyncio.create_task(worker.run_long(long))
        await asyncio.to_thread(begun.wait)
        await asyncio.to_thread(worker.stop)
        with pytest.raises(Stopped):
            await running

    with_worker(use)
