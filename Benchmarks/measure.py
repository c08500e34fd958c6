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
