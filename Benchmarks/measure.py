"""Runs a shell command and says what it cost."""

import os
import subprocess
import sys
import time


def measure(command, environment):
    """The wall clock, the processor time of the command and its children, the largest resident set of any of them."""
    os.sync()
    start = time.perf_counter()
    process = subprocess.Popen(
        ["bash", "-euc", command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"this failed: {command}\n{errors.decode(errors='replace')[-2000:]}")
    return {"wall": seconds, "user": usage.ru_utime, "sys": usage.ru_stime, "rss": usage.ru_maxrss / 1024}


def run(command, environment):
    """Runs a command that is not measured."""
    subprocess.run(["bash", "-euc", command], env=environment, check=True, stdout=subprocess.DEVNULL)


def let_age():
    """Waits until what was just written is older than what Understudy reads again: what changed within a minute before a
    snapshot."""
    time.sleep(61)


def touch_memory(most=None):
    """Has a hypervisor give this machine its free memory, at most so many bytes of it: it takes back what is free within
    seconds, and gives it page by page, when it is touched first."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = int(min(free * 0.7, most or free))
    touch = f"import mmap; memory = mmap.mmap(-1, {size})\nfor place in range(0, {size}, 4096): memory[place] = 1"
    # A process of its own: what is measured next must not count it.
    subprocess.run([sys.executable, "-c", touch], check=True)
