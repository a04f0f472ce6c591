#!/usr/bin/env python3
"""The measurements against the goals: runs the server and its peers in turn, in one run, and
writes results, ratios and plots.

    ./x bench [--repeats N] [--only PART[,PART…]] [--minutes N] [--out DIR]
    ./x bench --smoke       one short repeat: does it all run? Writes nothing
    ./x bench --list        the parts
    ./x bench --realtime    on a machine with other work: nothing else runs on a CPU that is
                            measured while the measured program wants it
    ./x bench --report      the report and the plots again, from DIR/figures.json

Every ratio is taken inside one repeat, between servers that ran right after each other; the
medians of the repeats are reported. The server runs on one CPU, the load on another.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import goals
import plots
from parts import ALL, WHAT
from rig import Failed, Rig

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, 'build', 'bench')
DRIVER = os.path.join(ROOT, '..', 'shared', 'referee')


def arguments():
    parser = argparse.ArgumentParser(prog='./x bench', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--smoke', action='store_true', help='one short repeat')
    parser.add_argument('--only', default=','.join(ALL),
                        help='parts, comma between two; the others keep their figures in DIR')
    parser.add_argument('--list', action='store_true', help='the parts and what they measure')
    parser.add_argument('--report', action='store_true', help='writes the report again')
    parser.add_argument('--realtime', action='store_true', help='ahead of all other work')
    parser.add_argument('--minutes', type=float, default=45, help='no new repeat after so long')
    parser.add_argument('--out', default=os.path.join(ROOT, 'bench', 'results'))
    parser.add_argument('--driver', default=DRIVER if os.path.isdir(DRIVER) else None,
                        help='folder of a neutral load driver and raw server; without one the '
                             "product's own measure")
    parser.add_argument('--build', default=os.path.join(ROOT, 'build', 'release'))
    return parser.parse_args()


def install_peers():
    """The npm package of the Node peers, where npm and its registry are there."""
    if shutil.which('npm') and not os.path.isdir(os.path.join(WORK, 'node_modules', 'ws')):
        os.makedirs(WORK, exist_ok=True)
        subprocess.run(['npm', 'install', '--silent', '--no-audit', '--no-fund', '--prefix', WORK,
                        'ws@8'], check=False, stdin=subprocess.DEVNULL, timeout=120)


def run_parts(rig, names, repeats, minutes):
    """{figure: [a value for each repeat]}"""
    begin = time.monotonic()
    results = {}
    for repeat in range(repeats):
        if repeat and time.monotonic() - begin > minutes * 60:
            print(f'bench: {repeat} of {repeats} repeats in {minutes:g} minutes; this is where it '
                  'ends', flush=True)
            break
        for name in names:
            started = time.monotonic()
            print(f'[{repeat + 1}/{repeats} {started - begin:5.0f} s] {name}: {WHAT[name]}',
                  flush=True)
            try:
                figures = ALL[name](rig, repeat)
            except (Failed, OSError, subprocess.SubprocessError) as failure:
                print(f'    failed: {failure}', flush=True)
                figures = {f'{name}.failed': None}
            for key, value in figures.items():
                results.setdefault(key, []).append(value)
            print(f'    {name} took {time.monotonic() - started:.0f} s', flush=True)
    return results


def main():
    options = arguments()
    if options.list:
        print('\n'.join(f'{name:12s} {what}' for name, what in WHAT.items()))
        return 0
    figures_file = os.path.join(options.out, 'figures.json')
    if options.report:
        with open(figures_file) as file:
            saved = json.load(file)
        return finish(options.out, saved['figures'], saved['run'])
    names = options.only.split(',')
    if unknown := [name for name in names if name not in ALL]:
        sys.exit(f'bench: there is no part "{unknown[0]}"; choose from {", ".join(ALL)}')
    for what in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(what, lambda number, _: sys.exit(128 + number))  # ends what was started, too
    if not options.smoke:
        install_peers()
    try:
        rig = Rig(options.build, WORK, options.smoke, None if options.smoke else options.driver)
    except Failed as failure:
        sys.exit(f'bench: {failure}')
    os.environ['PINNED_REALTIME'] = '1' if options.realtime else '0'
    repeats = 1 if options.smoke else options.repeats
    begin = time.monotonic()
    results = run_parts(rig, names, repeats, options.minutes)
    took = time.monotonic() - begin
    if options.smoke:
        bad = sorted(key for key, values in results.items() if None in values)
        print(''.join(f'  no figure: {key}\n' for key in bad), end='')
        print(f'bench: {took:.0f} s')
        print(f'{len(results) - len(bad)} passed, {len(bad)} failed')
        return 1 if bad or not results else 0
    done = max(map(len, results.values()), default=0)
    run = goals.describe_run(done, took, rig.others, options.realtime)
    run['driver'] = 'a neutral driver' if rig.neutral else "the product's own driver"
    if set(names) != set(ALL) and os.path.exists(figures_file):
        with open(figures_file) as file:
            saved = json.load(file)
        again = dict.fromkeys(names, goals.describe_machine(run))
        run = dict(saved['run'], again={**saved['run'].get('again', {}), **again})
        results = {**saved['figures'], **results}
    os.makedirs(options.out, exist_ok=True)
    with open(figures_file, 'w') as out:
        json.dump({'run': run, 'figures': results}, out, indent=1, sort_keys=True)
        out.write('\n')
    return finish(options.out, results, run)


def finish(folder, results, run):
    medians = goals.medians_of(results)
    report = goals.report(medians, results, run, plots.draw(medians, results, folder))
    with open(os.path.join(folder, 'README.md'), 'w') as out:
        out.write(report)
    print(report)
    return 0


if __name__ == '__main__':
    sys.exit(main())
