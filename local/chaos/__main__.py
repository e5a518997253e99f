"""`python3 dev.py chaos`: a campaign that anyone can rerun; exit code 1 on a violation."""

import argparse
import asyncio
import gc
import hashlib
import json
import logging
import sys
from collections import Counter
from pathlib import Path

from cmg_core.domain.values import JsonObject
from local.chaos.campaign import USUAL, Result, run
from local.dev.processes import ROOT

STATES = ROOT / ".dev" / "chaos"


def main(arguments: list[str]) -> int:
    """Run the campaign that the arguments describe; its exit code."""
    wanted = _parser().parse_args(arguments)
    samples = (str(Path(wanted.sample).resolve()),) if wanted.sample else USUAL
    logging.getLogger("cmg").propagate = False
    lines: list[JsonObject] = []
    if wanted.only is None:
        lines = _campaign(wanted, samples)
    else:
        lines.append(_line(run(wanted.seed, wanted.only, samples), _again(wanted.seed, wanted.only, wanted.sample)))
        _show(lines[-1], as_json=wanted.json, whole=True)
    if wanted.real:
        from local.chaos.real import campaign

        lines += [_shown(each, wanted.json) for each in asyncio.run(campaign(wanted.real, wanted.seed))]
    return _tally(lines, wanted.json)


def _campaign(wanted: argparse.Namespace, samples: tuple[str, ...]) -> list[JsonObject]:
    """All runs, noted one by one so that a campaign that is broken off can go on."""
    state = STATES / f"{_key(wanted.seed, samples)}.jsonl"
    state.parent.mkdir(parents=True, exist_ok=True)
    lines = _lines(state)[: wanted.runs] if wanted.resume else []
    state.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for number in range(len(lines), wanted.runs):
        lines.append(_line(run(wanted.seed, number, samples), _again(wanted.seed, number, wanted.sample)))
        with state.open("a") as file:
            file.write(json.dumps(lines[-1]) + "\n")
        _show(lines[-1], as_json=wanted.json, whole=False)
        if len(lines) == 1:
            # What the SDKs have loaded stays for good; collections need not walk over it again and again.
            gc.collect()
            gc.freeze()
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dev.py chaos",
        description="A campaign of faults against whole migrations, which anyone can rerun, judged by an independent "
        "checker (docs/campaigns.md). Exit code 1 on a violation.",
    )
    parser.add_argument("--runs", type=int, default=50, help="how many runs in one process (default: 50)")
    parser.add_argument("--seed", type=int, default=1, help="what all choices come from (default: 1)")
    parser.add_argument("--sample", metavar="FILE", help="one sample instead of all of them in turn")
    parser.add_argument("--only", type=int, metavar="N", help="run number N alone, with all that happened in it")
    parser.add_argument("--resume", action="store_true", help="go on where the campaign of this seed was broken off")
    parser.add_argument("--real", type=int, default=0, metavar="K", help="then K runs with real processes (default: 0)")
    parser.add_argument("--json", action="store_true", help="one JSON document a line")
    return parser


def _key(seed: int, samples: tuple[str, ...]) -> str:
    return f"{seed}-{hashlib.sha256(repr(samples).encode()).hexdigest()[:8]}"


def _lines(state: Path) -> list[JsonObject]:
    """The runs that are done; a line that was broken off is none."""
    found: list[JsonObject] = []
    for text in state.read_text().splitlines() if state.exists() else []:
        try:
            found.append(json.loads(text))
        except ValueError:
            break
    return found


def _again(seed: int, number: int, sample: str | None) -> str:
    return f"python3 dev.py chaos --seed {seed} --only {number}" + (f" --sample {sample}" if sample else "")


def _line(result: Result, again: str) -> JsonObject:
    return {
        "run": result.number,
        "what": str(result.drawn),
        "outcome": result.outcome,
        "client_failures": result.failures,
        "violations": [{"rule": each.rule, "what": each.what} for each in result.violations],
        "happened": list(result.happened),
        "again": again,
        "seconds": round(result.seconds, 1),
    }


def _show(line: JsonObject, *, as_json: bool, whole: bool) -> None:
    if as_json:
        print(json.dumps(line), flush=True)
        return
    verdict = "VIOLATION" if line["violations"] else "ok"
    print(f"{line['run']:>5}  {verdict:9}  {line['outcome']:15}  {line['seconds']:5} s  {line['what']}", flush=True)
    for each in line["violations"] if isinstance(line["violations"], list) else []:
        print(f"         {each['rule']}: {each['what']}" if isinstance(each, dict) else "", flush=True)
    if whole or line["violations"]:
        for happened in line["happened"] if isinstance(line["happened"], list) else []:
            print(f"         {happened}")
    if line["violations"]:
        print(f"         again: {line['again']}", flush=True)


def _shown(line: JsonObject, as_json: bool) -> JsonObject:
    _show(line, as_json=as_json, whole=False)
    return line


def _tally(lines: list[JsonObject], as_json: bool) -> int:
    outcomes = Counter(str(line["outcome"]) for line in lines)
    broken = [line for line in lines if line["violations"]]
    if as_json:
        print(json.dumps({"runs": len(lines), "outcomes": dict(outcomes), "violations": len(broken)}), flush=True)
    else:
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        print(f"{len(lines)} runs: {told}; {len(broken)} with a violation", flush=True)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
