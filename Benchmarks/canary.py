#!/usr/bin/env python3
"""What a canary costs: two shadows of a Buildbot of 30 builders, S0 to S3 with five runs of one probe.

Prints a table for docs/benchmarks.md: wall time, the sum of all boots and builds, their ratio, and the peak of the memory
that all processes in the sandboxes share out (PSS). The first canary makes the environment, the second one finds it.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNDERSTUDY = ROOT / '.build/release/understudy'
BUILDBOT = pathlib.Path(os.environ.get('UNDERSTUDY_TEST_BUILDBOT', ROOT / '.venv/buildbot'))
BUILDERS = 30


def production(base):
    """A master with many builders, whose probe takes a second; made, never started."""
    environment = base / 'environment'
    shutil.copytree(BUILDBOT, environment, symlinks=True)
    master = base / 'master'
    python = environment / 'bin/python'
    subprocess.run([python, environment / 'bin/buildbot', 'create-master', '--quiet', '--relocatable', master], check=True)
    (master / 'master.cfg').write_text(f'''
from buildbot.plugins import schedulers, steps, util, worker
factory = util.BuildFactory([steps.ShellCommand(name='work', command=['sleep', '1'])])
names = ['builder-%02d' % i for i in range({BUILDERS})]
c = BuildmasterConfig = {{
    'workers': [worker.Worker('w1', 'a-password-of-w1')],
    'protocols': {{'pb': {{'port': 'tcp:19989:interface=127.0.0.1'}}}},
    'builders': [util.BuilderConfig(name=n, workernames=['w1'], factory=factory) for n in names],
    'schedulers': [schedulers.ForceScheduler(name='force', builderNames=names)],
    'www': {{'port': 'tcp:18999:interface=127.0.0.1', 'plugins': {{'waterfall_view': {{}}, 'console_view': {{}}, 'grid_view': {{}}}}}},
    'db': {{'db_url': 'sqlite:///state.sqlite'}}, 'buildbotNetUsageData': None,
}}
''')
    (base / 'understudy.yaml').write_text(f'''system: acme
store: {base}/acme.git
policies: {base}/policies
components:
  ci: {{driver: buildbot, master: {master}, environment: {environment}}}
''')
    (base / 'policies').mkdir()
    (base / 'policies/canary.yaml').write_text('''classes:
  plugin-patch:
    stages: [static, boot, roundTrip, probes]
    probes: {names: [builder-00], usingChange: false, mostUsed: 0, atMost: 1}
    looks: [{runs: 5, alpha: 0.05}]
  job-definition:
    stages: [static, boot, roundTrip, probes]
    probes: {names: [builder-00], usingChange: false, mostUsed: 0, atMost: 1}
    looks: [{runs: 5, alpha: 0.05}]
''')


def shared_memory():
    """Bytes of all processes in sandboxes, what they share counted once."""
    total = 0
    for process in pathlib.Path('/proc').iterdir():
        if not process.name.isdigit():
            continue
        try:
            line = (process / 'cmdline').read_bytes()
            if b'--nodaemon' in line and not line.startswith((b'bwrap', b'setpriv')):
                for row in (process / 'smaps_rollup').read_text().splitlines():
                    if row.startswith('Pss:'):
                        total += int(row.split()[1]) * 1024
        except (OSError, ProcessLookupError):
            continue
    return total


def run(base):
    """One canary: wall time, evidence, peak memory."""
    peak = [0]
    done = threading.Event()

    def watch():
        while not done.is_set():
            peak[0] = max(peak[0], shared_memory())
            time.sleep(0.2)
    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    status = subprocess.run([UNDERSTUDY, '--quiet', 'canary', '--offline', '--seed', '1'], cwd=base, stdout=subprocess.DEVNULL).returncode
    wall = time.monotonic() - began
    done.set()
    watcher.join()
    report = subprocess.run(['git', '-C', base / 'acme.git', 'show', 'refs/evidence/acme/canaries:report.json'],
                            check=True, capture_output=True).stdout
    evidence = json.loads(report)['evidence']
    work = sum(b['seconds'] for b in evidence['boots']) + sum(r['seconds'] or 0 for r in evidence['runs'])
    stages = {s['stage']: s['seconds'] for s in evidence['stages']}
    return status, wall, work, stages, peak[0]


def main():
    with tempfile.TemporaryDirectory(prefix='understudy-canary-') as name:
        base = pathlib.Path(name)
        production(base)
        subprocess.run([UNDERSTUDY, 'init', base / 'policies', '--name', 'unused', '--store', base / 'unused.git',
                        '--output', base / 'unused.yaml', '--recovery-key', base / 'key'], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(['git', 'init', '--quiet', '--bare', base / 'nothing'], check=True)
        shutil.move(base / 'unused.git', base / 'acme.git')
        subprocess.run([UNDERSTUDY, '--quiet', 'snapshot'], cwd=base, check=True, stdout=subprocess.DEVNULL)
        print(f'| canary of {BUILDERS} builders, no change, n = 5 | status | wall | boots and builds | ratio | S0 | S1 | S3 | peak memory |')
        print('| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
        for label in ['the environment is made', 'it is there'] + ['it is there'] * (int(sys.argv[1]) if len(sys.argv) > 1 else 0):
            status, wall, work, stages, peak = run(base)
            print(f'| {label} | {status} | {wall:.1f} s | {work:.1f} s | {wall / work:.2f} | {stages["static"]:.1f} s '
                  f'| {stages["boot"]:.1f} s | {stages["probes"]:.1f} s | {peak / 1e6:.0f} MB |', flush=True)


if __name__ == '__main__':
    main()
