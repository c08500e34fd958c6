"""Says how busy each thread of a command was, slice by slice, and with what: where threads wait, a profile shows nothing.

    perf record -e cpu-clock -F 8000 -g -o /tmp/perf.data understudy restore latest --to /tmp/out
    perf script -i /tmp/perf.data -F tid,time,ip,sym | python3 Benchmarks/timeline.py --slice 0.02
"""

import argparse
import collections
import re
import sys


def samples(lines):
    """Thread, seconds and the symbols of each sample, the innermost first."""
    sample = None
    for line in lines:
        head = re.match(r"\s*(\d+)\s+([\d.]+):", line)
        if head:
            if sample:
                yield sample
            sample = (int(head[1]), float(head[2]), [])
        elif sample and line.strip():
            sample[2].append(line.strip().split(" ", 1)[-1])
    if sample:
        yield sample


def name(symbols):
    """The innermost of our own functions, else whatever was running."""
    return next((symbol for symbol in symbols if symbol.startswith("$s")), symbols[0] if symbols else "?")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slice", type=float, default=0.02, help="seconds (0.02)")
    parser.add_argument("--frequency", type=int, default=8000, help="samples in a second of the processor (8000)")
    arguments = parser.parse_args()
    counts = collections.defaultdict(collections.Counter)
    names = collections.defaultdict(collections.Counter)
    threads, begin = [], None
    for thread, seconds, symbols in samples(sys.stdin):
        begin = seconds if begin is None else begin
        if thread not in threads:
            threads.append(thread)
        place = int((seconds - begin) / arguments.slice)
        counts[place][thread] += 1
        names[place][name(symbols)] += 1
    whole = arguments.frequency * arguments.slice
    for place in range(max(counts, default=-1) + 1):
        busy = " ".join(f"{100 * counts[place][thread] / whole:4.0f} %" for thread in threads)
        most = names[place].most_common(1)
        print(f"{place * arguments.slice:8.3f} s {busy}  {most[0][0][:90] if most else 'all wait'}")


main()
