#!/usr/bin/env python3
"""The measurements against the goals: runs the server and its peers in turn, in one run, and
writes results, ratios and plots.

    ./x bench [--repeats N] [--smoke] [--only PART[,PART…]] [--out DIR]

Parts: fanout, latency, idle, durable, replay, start, growth. The load driver and the physical
limits (`raw`, `durable`) come from a folder that --driver names; it is copied to build/bench and
built there.
Every ratio is taken inside one repeat, between servers that ran right after each other; the
medians of the repeats are reported.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

import goals
import parts

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, 'build', 'bench')
DRIVER = os.path.join(ROOT, '..', 'shared', 'referee')


def prepare(driver):
    """Copies the load driver to build/bench and builds it."""
    if not os.path.isdir(driver):
        sys.exit(f'bench: no load driver in {driver}; name its folder with --driver')
    os.makedirs(WORK, exist_ok=True)
    for name in os.listdir(driver):
        target = os.path.join(WORK, name)
        shutil.copy(os.path.join(driver, name), target)
        os.chmod(target, 0o644)
    for folder in ('bin', 'run', 'db'):
        os.makedirs(os.path.join(WORK, folder), exist_ok=True)
    subprocess.run(['make', '-s'], cwd=WORK, check=True)
    if shutil.which('npm') and not os.path.isdir(os.path.join(WORK, 'node_modules', 'ws')):
        subprocess.run(['npm', 'install', '--silent', '--no-audit', '--no-fund', 'ws@8'], cwd=WORK,
                       check=True, stdin=subprocess.DEVNULL)


def median(values):
    return statistics.median(values) if values else float('nan')


def main():
    parser = argparse.ArgumentParser(prog='./x bench', description=__doc__.splitlines()[0])
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--smoke', action='store_true', help='one short repeat: does it all run?')
    parser.add_argument('--only', default=','.join(parts.ALL), help='parts, comma between two')
    parser.add_argument('--out', default=os.path.join(ROOT, 'bench', 'results'))
    parser.add_argument('--driver', default=DRIVER)
    parser.add_argument('--binary', default=os.path.join(ROOT, 'build/release/dyad-memory'))
    options = parser.parse_args()
    if not os.path.isfile(options.binary):
        sys.exit(f'bench: {options.binary} is missing; run ./x build first')
    prepare(options.driver)
    os.environ['DYAD_MEMORY'] = options.binary
    bench = parts.Bench(WORK, options.binary, options.smoke)
    repeats = 1 if options.smoke else options.repeats
    results = {}
    for name in options.only.split(','):
        if name not in parts.ALL:
            sys.exit(f'bench: there is no part "{name}"; choose from {", ".join(parts.ALL)}')
        for repeat in range(repeats):
            print(f'{name}: repeat {repeat + 1} of {repeats}', flush=True)
            for key, value in parts.ALL[name](bench, repeat).items():
                results.setdefault(key, []).append(value)
    if options.smoke:
        bad = [key for key, values in results.items() if any(v is None for v in values)]
        print(f'bench: {len(results)} figures, {len(bad)} missing')
        sys.exit(1 if bad else 0)
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, 'figures.json'), 'w') as out:
        json.dump(results, out, indent=1, sort_keys=True)
        out.write('\n')
    medians = {k: median([v for v in values if v is not None]) for k, values in results.items()}
    report = goals.report(medians, results)
    with open(os.path.join(options.out, 'README.md'), 'w') as out:
        out.write(report)
    goals.plot(medians, results, options.out)
    print(report)


if __name__ == '__main__':
    main()
