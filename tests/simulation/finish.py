"""The end of a run: without faults everything comes to rest, and everybody agrees."""

from typing import TYPE_CHECKING

from streams.effects import Role

if TYPE_CHECKING:
    from tests.simulation.referee import Referee
    from tests.simulation.worker import Seat
    from tests.simulation.world import World

STEP_MS = 100
CLAIMS_MAX = 6
CLAIMS_MS = 10_000
"""Without faults: a takeover, a planned yield, back-offs; more is a storm. Twice as many around a breaking record."""


class Finish:
    """Waits for rest, then compares."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._calm_ms = world.now_ms

    def wait(self) -> None:
        """ViolationError if it never comes to rest, or to different ends."""
        world = self._world
        why = ""
        while world.now_ms < self._calm_ms + world.mutation.patience_ms:
            world.run_until(world.now_ms + STEP_MS)
            why = self._restless()
            if not why:
                self._compare()
                return
            self._no_storm()
        world.violated("stuck", why)

    def _no_storm(self) -> None:
        world = self._world
        for referee in (part.referee for part in world.parts):
            recent = [at for at in referee.claims_ms if at > max(self._calm_ms, world.now_ms - CLAIMS_MS)]
            if len(recent) > CLAIMS_MAX * (2 if world.weather.poison else 1):
                world.violated("claim storm", f"{len(recent)} claims of {referee.part.name} in {CLAIMS_MS} ms")

    def _restless(self) -> str:
        """What is still going on; "" if nothing."""
        world = self._world
        if world.in_air:
            return f"{world.in_air} records on their way"
        for process in (*world.workers, *world.gateways, *world.agents):
            if not process.alive:
                return f"{process.name} is down"
        for part in world.parts:
            why = self._restless_in(part.referee)
            if why:
                return f"{part.name}: {why}"
        return world.restless()

    def _restless_in(self, referee: "Referee") -> str:
        world = self._world
        accepted = referee.acceptance
        if accepted.src + 1 != referee.commands.end:
            return f"undecided from {accepted.src + 1} of {referee.commands.end}"
        if referee.unpublished:
            return f"facts of {next(iter(referee.unpublished))} are missing"
        why = referee.restless()
        if why:
            return why
        place = referee.part.place
        seats = [worker.seats[place] for worker in world.workers]
        if not any(self._owns(seat, referee) for seat in seats):
            return "nobody owns"
        if any(seat.machine.accepted.offset != accepted.offset for seat in seats):
            return "somebody has not folded to the end"
        if accepted.published < referee.newest_fact[0]:
            return f"the watermark {accepted.published} is behind {referee.newest_fact}"
        end = referee.part.events.end
        if any(gateway.views[place].cursor != end for gateway in world.gateways):
            return "a view is behind"
        return ""

    def _owns(self, seat: "Seat", referee: "Referee") -> bool:
        tenure = seat.machine.tenure
        return tenure is not None and tenure.sent.nonce == referee.acceptance.nonce and tenure.idle()

    def _compare(self) -> None:
        """Everybody's state is the referee's, everybody's view is what the rows say."""
        world = self._world
        for part in world.parts:
            referee = part.referee
            expected = referee.portrait(referee.state)
            for worker in world.workers:
                machine = worker.seats[part.place].machine
                if machine.role in {Role.OWNER, Role.WARM} and referee.portrait(machine.state) != expected:
                    world.violated("states differ", f"{worker.name} in {part.name}")
            stands = referee.stands()
            for gateway in world.gateways:
                view = {key: state for key, (_, state) in gateway.views[part.place].stands.items()}
                if view != stands:
                    world.violated("a view is wrong at the end", f"{gateway.name} in {part.name}")
        world.compare()
