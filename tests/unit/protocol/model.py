"""The engine's protocol as an explicit-state model: every interleaving of crashes, lost answers, duplicates, slow
holders, HTTP changes, listeners and wake-due's re-sends, within a budget of faults.

An ETag is modelled by whether it is the record's present one, a message's ID by whether it is the one that the record
was saved by, time by what may happen in any order: a claim lapses, a message comes back, wake-due looks.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

DEAD = 9
"""Owner of a claim whose invocation is gone."""
MOST_MESSAGES = 2
"""wake-due looks only while fewer are in the queue: more of the same teach nothing new."""


@dataclass(frozen=True)
class Rules:
    """The protocol; each switch turned over is a simpler variant that must fail. Numbers are the protocol's rules."""

    before_writing: Literal["claim", "read", "nothing"] = "claim"
    """1. Instead: look whether the revision still stands, then act; or leave it to the save to find out."""
    port_checks_claim: bool = True
    """2."""
    resends_only_own_save: bool = True
    """4."""
    resends_only_unclaimed: bool = True
    """10, in 4 and 8."""
    merges_requests: bool = True
    """8."""
    takes_up_requests_when_claiming: bool = True
    """8, for those that were noted under a claim that has lapsed: whoever reads the record carries them on."""
    wakes_only_unclaimed: bool = True
    """11."""
    notes_while_claimed: bool = True
    """12."""
    looks_save_over_lapsed: bool = True
    """8, for runs that need no claim: their message is deleted, so one that gives up waits for wake-due."""
    looks_at_seals: bool = True
    """Whoever writes to the queues cannot seal: a run whose message bears no good seal begins by reading the ledger."""


class Budget(NamedTuple):
    """How much may go wrong in one story. A repeated send strikes the first message that a run sends."""

    steps: int = 2
    crashes: int = 0
    lost_answers: int = 0
    redeliveries: int = 0
    repeated_sends: int = 0
    changes: int = 0
    subscriptions: int = 0
    """How often somebody's listening is noted: another ETag under the same revision, whoever holds a claim."""
    waits: int = 0
    wakes: bool = True
    adopts: bool = False
    """A run that finds its step's effect needs no claim."""
    forgeries: int = 0
    """How often somebody copies a message that lies in the queue, with its ETag and another state."""
    hold_outlasts_claim: bool = False
    """A killed run's message shows again only when its claim is over, as rule 1 wants settings to be."""


class Message(NamedTuple):
    id: int
    revision: int
    step: int
    fresh: bool
    """Whether it carries the record's present ETag."""
    requests: int = 0
    """Requests that the record held when wake-due sent this: the run has to read them."""
    forged: bool = False
    """Whether its state is not what the ledger said of its revision."""


class Run(NamedTuple):
    """One invocation: where it is, and what it knows."""

    at: str
    message: Message
    fresh: bool
    """Whether it knows the record's present ETag."""
    waits: bool = False
    looked: bool = False
    """Whether it needs no claim: it waits, or it found everything right."""
    merges: int = 0
    misled: bool = False
    """Whether it goes by a forged state."""


class Sender(NamedTuple):
    """wake-due or an HTTP call between its conditional write and its message."""

    revision: int
    step: int
    fresh: bool
    requests: int = 0


class State(NamedTuple):
    revision: int
    step: int
    written: int
    """How many steps have had their effect, whoever brought it about."""
    owner: int | None
    live: bool
    saved_by: int
    requested: int
    open: int
    asked: int
    messages: tuple[Message, ...]
    runs: tuple[Run | None, Run | None]
    senders: tuple[Sender, ...]
    left: Budget


class Broken(Exception):
    """A property does not hold; the message says which."""


@dataclass(frozen=True)
class Model:
    rules: Rules
    budget: Budget

    def begin(self) -> State:
        message = Message(1, 1, 0, True)
        return State(1, 0, 0, None, False, 0, 0, 0, 0, (message,), (None, None), (), self.budget)

    def ended(self, state: State) -> bool:
        return state.step == self.budget.steps

    def next(self, state: State) -> Iterator[State]:
        """Every state that one event leads to. Raises Broken where an event breaks a property."""
        yield from self._deliver(state)
        for slot, run in enumerate(state.runs):
            if run is not None:
                yield from self._go_on(state, slot, run)
                if state.left.crashes:
                    yield self._end(spend(state, "crashes"), slot, back=True)
        if state.live and not self._is_writing(state, state.owner):
            yield state._replace(live=False)
        yield from self._wake(state)
        yield from self._change(state)
        if state.left.subscriptions:
            yield changed(spend(state, "subscriptions"))
        yield from self._forge(state)
        for sender in state.senders:
            rest = list(state.senders)
            rest.remove(sender)
            without = state._replace(senders=tuple(rest))
            yield from self._sent(without, Message(new_id(state), *sender))
            if state.left.crashes:
                yield spend(without, "crashes")

    def _deliver(self, state: State) -> Iterator[State]:
        if self.budget.hold_outlasts_claim and state.owner == DEAD and state.live:
            return
        for message in set(state.messages):
            for copies in (False, True):
                if copies and not state.left.redeliveries:
                    continue
                rest = list(state.messages)
                if not copies:
                    rest.remove(message)
                taken = state._replace(messages=tuple(rest))
                run = Run("start", message, message.fresh, merges=message.requests, misled=message.forged)
                slot = next((slot for slot, other in enumerate(state.runs) if other is None), None)
                if slot is not None:
                    yield put(spend(taken, "redeliveries") if copies else taken, slot, run)

    def _go_on(self, state: State, slot: int, run: Run) -> Iterator[State]:
        match run.at:
            case "start" if run.misled and self.rules.looks_at_seals:
                yield from self._open(state, slot, run)
            case "start":
                if self.rules.before_writing == "read":
                    yield from self._look(state, slot, run)
                else:
                    at = "claim" if self.rules.before_writing == "claim" else "claimed"
                    yield put(state, slot, run._replace(at=at))
                if state.left.waits:
                    yield put(spend(state, "waits"), slot, run._replace(at="save", waits=True, looked=True))
                if state.written > run.message.step:
                    yield put(state, slot, run._replace(at="save", looked=True))
            case "claim":
                yield from self._claim(state, slot, run)
            case "read":
                yield from self._read(state, slot, run)
            case "claimed":
                yield from self._write(state, slot, run)
            case "writing":
                yield put(state, slot, run._replace(at="save"))
            case "save":
                yield from self._save(state, slot, run)
            case "read-after-save":
                yield from self._read_after_save(state, slot, run)
            case "send":
                done = self._end(state, slot, back=False)
                if self.ended(state):
                    yield done
                else:
                    step = run.message.step if run.waits else run.message.step + 1
                    message = Message(new_id(state), run.message.revision + 1, step, run.fresh)
                    yield from self._sent(put(state, slot, run._replace(at="sent")), message)
            case "sent":
                yield self._end(state, slot, back=False)

    def _claim(self, state: State, slot: int, run: Run) -> Iterator[State]:
        if not run.fresh:
            yield put(state, slot, run._replace(at="read"))
            return
        claimed = changed(state)._replace(owner=slot, live=True)
        yield put(claimed, slot, run._replace(at="claimed", fresh=True))
        if state.left.lost_answers:
            lost = spend(claimed, "lost_answers")
            yield put(lost, slot, run._replace(at="read", fresh=False))
            yield self._end(lost, slot, back=True)

    def _read(self, state: State, slot: int, run: Run) -> Iterator[State]:
        """Rules 3 to 7."""
        if state.revision != run.message.revision:
            mine = state.revision == run.message.revision + 1 and state.saved_by == run.message.id
            if (mine or not self.rules.resends_only_own_save) and self._may_resend(state):
                # What is sent is the record's own step and revision.
                yield from self._resend(state, slot)
            else:
                yield self._end(state, slot, back=False)
        elif state.owner == slot:
            if state.live:
                yield put(state, slot, self._read_by(run, state)._replace(at="claimed"))
            else:
                yield self._end(state, slot, back=True)
        elif (state.owner is not None and state.live) or run.misled:
            yield self._end(state, slot, back=False)
        else:
            yield put(state, slot, self._read_by(run, state)._replace(at="claim"))

    def _open(self, state: State, slot: int, run: Run) -> Iterator[State]:
        """A message without a good seal: rules 3, 4 and 6 with what the ledger says, then as any other."""
        if state.revision != run.message.revision or state.step != run.message.step or state.live:
            yield from self._read(state, slot, run)
        else:
            yield put(state, slot, self._read_by(run, state)._replace(misled=False))

    def _read_by(self, run: Run, state: State) -> Run:
        """What a run knows after a look at the record."""
        merges = state.requested if self.rules.takes_up_requests_when_claiming else 0
        return run._replace(fresh=True, merges=merges)

    def _look(self, state: State, slot: int, run: Run) -> Iterator[State]:
        if state.revision == run.message.revision:
            yield put(state, slot, run._replace(at="claimed"))
        else:
            yield self._end(state, slot, back=False)

    def _write(self, state: State, slot: int, run: Run) -> Iterator[State]:
        """Rule 2: the port refuses when the claim is over."""
        lapsed = self.rules.before_writing == "claim" and not (state.owner == slot and state.live)
        if lapsed and self.rules.port_checks_claim:
            yield self._end(state, slot, back=True)
            return
        if state.revision != run.message.revision:
            raise Broken(f"stale effect: revision {run.message.revision} writes, the ledger is at {state.revision}")
        if run.misled:
            raise Broken("forged effect: what is written is not what the ledger says")
        if any(self._is_writing(state, other) for other in (0, 1) if other != slot):
            raise Broken("overlap: two runs write at the same time")
        written = max(state.written, run.message.step + 1) if self.budget.adopts else 0
        yield put(state._replace(written=written), slot, run._replace(at="writing"))

    def _save(self, state: State, slot: int, run: Run) -> Iterator[State]:
        """Rule 8."""
        if not run.fresh:
            yield put(state, slot, run._replace(at="read-after-save"))
            return
        if run.misled:
            raise Broken("forged state: the ledger takes up what it never said")
        step = run.message.step if run.waits else run.message.step + 1
        saved = changed(state)._replace(
            revision=state.revision + 1,
            step=step,
            owner=None,
            live=False,
            saved_by=run.message.id,
            requested=0,
            open=state.open + run.merges,
        )
        if state.asked > saved.open:
            raise Broken("lost request: the ledger forgets a call that was noted")
        yield put(saved, slot, run._replace(at="send", fresh=True))
        if state.left.lost_answers:
            lost = spend(saved, "lost_answers")
            yield put(lost, slot, run._replace(at="read-after-save", fresh=False))
            yield self._end(lost, slot, back=True)

    def _read_after_save(self, state: State, slot: int, run: Run) -> Iterator[State]:
        mine = state.revision == run.message.revision + 1 and state.saved_by == run.message.id
        if mine and self._may_resend(state):
            yield put(state, slot, run._replace(at="send", fresh=True))
        elif state.revision == run.message.revision and (
            state.owner == slot or (self.rules.looks_save_over_lapsed and run.looked and not state.live)
        ):
            merges = state.requested if self.rules.merges_requests else 0
            yield put(state, slot, run._replace(at="save", fresh=True, merges=merges))
        else:
            yield self._end(state, slot, back=False)

    def _may_resend(self, state: State) -> bool:
        return state.owner is None or not self.rules.resends_only_unclaimed

    def _resend(self, state: State, slot: int) -> Iterator[State]:
        ended = self._end(state, slot, back=False)
        if self.ended(state):
            yield ended
        else:
            yield from self._sent(ended, Message(new_id(state), state.revision, state.step, True))

    def _wake(self, state: State) -> Iterator[State]:
        """Rule 11."""
        quiet = not state.live or not self.rules.wakes_only_unclaimed
        room = len(state.messages) < MOST_MESSAGES and not state.senders
        if state.left.wakes and quiet and room and not self.ended(state):
            requests = state.requested if self.rules.takes_up_requests_when_claiming else 0
            yield changed(state)._replace(senders=(Sender(state.revision, state.step, True, requests),))

    def _forge(self, state: State) -> Iterator[State]:
        """Somebody who reads and writes the queues lays an altered copy beside a message, live ETag and all."""
        if state.left.forgeries and len(state.messages) < MOST_MESSAGES:
            for message in set(state.messages):
                forged = message._replace(id=new_id(state), forged=True)
                yield spend(state, "forgeries")._replace(messages=(*state.messages, forged))

    def _change(self, state: State) -> Iterator[State]:
        """Rule 12."""
        if not state.left.changes or self.ended(state) or state.senders:
            return
        asked = spend(changed(state), "changes")._replace(asked=state.asked + 1)
        if state.live and self.rules.notes_while_claimed:
            yield asked._replace(requested=state.requested + 1)
        else:
            yield asked._replace(
                revision=state.revision + 1,
                owner=None,
                live=False,
                saved_by=0,
                requested=0,
                open=asked.asked,
                senders=(Sender(state.revision + 1, state.step, True),),
            )

    def _sent(self, state: State, message: Message) -> Iterator[State]:
        yield state._replace(messages=(*state.messages, message))
        if state.left.repeated_sends and message.revision == 2:
            twin = message._replace(id=message.id + 1)
            yield spend(state, "repeated_sends")._replace(messages=(*state.messages, message, twin))

    def _end(self, state: State, slot: int, *, back: bool) -> State:
        """The run is gone; its message too, or it comes back."""
        run = state.runs[slot]
        assert run is not None
        runs = (None, state.runs[1]) if slot == 0 else (state.runs[0], None)
        # What the queue holds is what was sent: its ETag is fresh only while nobody has written since.
        messages = (*state.messages, run.message) if back else state.messages
        return state._replace(runs=runs, messages=messages, owner=DEAD if state.owner == slot else state.owner)

    def _is_writing(self, state: State, slot: int | None) -> bool:
        run = state.runs[slot] if slot in (0, 1) else None
        return run is not None and run.at == "writing"


def changed(state: State) -> State:
    """The record was written: every ETag that anybody knows is old now."""
    return state._replace(
        messages=tuple(message._replace(fresh=False) for message in state.messages),
        runs=(_outdated(state.runs[0]), _outdated(state.runs[1])),
        senders=tuple(sender._replace(fresh=False) for sender in state.senders),
    )


def _outdated(run: Run | None) -> Run | None:
    return run and run._replace(fresh=False, message=run.message._replace(fresh=False))


def put(state: State, slot: int, run: Run) -> State:
    """Set a run. Its message keeps the freshness that the state knows."""
    known = state.runs[slot]
    if known is not None:
        run = run._replace(message=known.message)
    return state._replace(runs=(run, state.runs[1]) if slot == 0 else (state.runs[0], run))


def spend(state: State, what: str) -> State:
    """One fault less is left."""
    return state._replace(left=state.left._replace(**{what: getattr(state.left, what) - 1}))


def new_id(state: State) -> int:
    return 1 + max(
        [state.saved_by, *(message.id for message in state.messages), *(run.message.id for run in state.runs if run)]
    )


def settled(state: State) -> State:
    """The same state under its shortest names: runs and messages in order, IDs counted anew."""
    one, other = state.runs
    if (other or ()) < (one or ()):
        owner = 1 - state.owner if state.owner in (0, 1) else state.owner
        state = state._replace(runs=(other, one), owner=owner)
    names: dict[int, int] = {0: 0}
    runs: list[Run | None] = []
    for run in state.runs:
        if run is not None:
            id = names.setdefault(run.message.id, len(names))
            run = run._replace(message=run.message._replace(id=id))
        runs.append(run)
    messages = sorted(state.messages, key=lambda each: (each[1:], each.id != state.saved_by))
    renamed = tuple(message._replace(id=names.setdefault(message.id, len(names))) for message in messages)
    return state._replace(saved_by=names.get(state.saved_by, 0), messages=renamed, runs=(runs[0], runs[1]))


def check(rules: Rules, budget: Budget) -> int:
    """Visit every reachable state; how many there are.

    Raises Broken for a stale effect, an overlap, a lost request, a duplicate that lives on (where wake-due sends none),
    or lost work: a state from which the end cannot be reached.
    """
    model = Model(rules, budget)
    first = settled(model.begin())
    came_from: dict[State, list[State]] = {first: []}
    todo = deque([first])
    while todo:
        state = todo.popleft()
        if budget.repeated_sends and not budget.wakes and sum(message.revision > 2 for message in in_flight(state)) > 1:
            raise Broken("a duplicate lives on")
        for following in model.next(state):
            following = settled(following)
            if following in came_from:
                came_from[following].append(state)
            else:
                came_from[following] = [state]
                todo.append(following)
    reaches_end = {state for state in came_from if model.ended(state)}
    todo = deque(reaches_end)
    while todo:
        for before in came_from[todo.popleft()]:
            if before not in reaches_end:
                reaches_end.add(before)
                todo.append(before)
    if len(reaches_end) < len(came_from):
        raise Broken("lost work: no way leads to the end any more")
    return len(came_from)


def in_flight(state: State) -> Iterator[Message]:
    """The messages in the queue and in the hands of runs that have not yet sent the next one."""
    yield from state.messages
    yield from (run.message for run in state.runs if run and run.at not in ("send", "sent"))
