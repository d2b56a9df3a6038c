"""Users: they log in, look around, click, and leave; every visit is one process."""

from events.simulation.identity import MILLISECOND, SECOND, token
from events.simulation.kernel import Kernel, Process, Properties

# A visit has about 15 events.
VISITS = 0.05 / 15
# Visits at one time, by events a second: a user thinks for six seconds between two of them.
PRESENT = 0.3
KNOWN_USERS = 400

PAGES = {
    "/": "Dashboard",
    "/positions": "Positions",
    "/orders": "Orders",
    "/orderbook": "Order book",
    "/analytics": "Analytics",
    "/trade": "Trade",
    "/system": "System",
}
BUTTONS = {
    "/positions": ("close-position", "Close"),
    "/orders": ("cancel-order", "Cancel"),
    "/orderbook": ("change-depth", "Depth"),
    "/analytics": ("export-csv", "Export"),
    "/trade": ("place-order", "Buy / Sell"),
}
VITALS = {"lcp": 1900.0, "fid": 14.0, "cls": 0.06, "ttfb": 240.0, "inp": 110.0}
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
)
VIEWPORTS = ("1920x1080", "1440x900", "2560x1440", "390x844")


class Visit:
    """One session of one user in the browser."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        random = kernel.random
        # A few are here all the time, most now and then.
        self.user_id = f"u-{1001 + int(KNOWN_USERS * random.random() ** 2)}"
        self.session_id = f"s-{token(random, 96)}"
        self.viewport = random.choice(VIEWPORTS)
        self.agent = random.choice(AGENTS)
        self.started_at = kernel.now

    def live(self) -> Process:
        self._view("/login", "Log in", None)
        while self.kernel.random.random() < 0.08:
            yield self._pause(4)
            self._log_in(success=False)
        yield self._pause(4)
        self.started_at = self.kernel.now
        self._log_in(success=True)
        yield from self._look_around(first="/", pages=1 + self._pages())

    def go_on(self) -> Process:
        """What a user does who was here before the simulation began."""
        random = self.kernel.random
        self.started_at = self.kernel.now - random.randrange(30, 600) * SECOND
        yield self._pause(2)
        yield from self._use(random.choice(tuple(PAGES)))
        yield from self._look_around(first=random.choice(tuple(PAGES)), pages=self._pages())

    def _pages(self) -> int:
        return min(20, int(self.kernel.random.expovariate(1 / 5)))

    def _look_around(self, first: str, pages: int) -> Process:
        random = self.kernel.random
        previous, path = "/login", first
        for _ in range(pages):
            yield from self._look_at(path, previous)
            previous, path = path, random.choice(tuple(PAGES))
        if random.random() < 0.7:
            duration = (self.kernel.now - self.started_at) / SECOND
            reason = "user" if random.random() < 0.8 else "expired"
            self._tell("user.logout", {"reason": reason, "session_duration_s": duration})

    def _look_at(self, path: str, previous: str) -> Process:
        random = self.kernel.random
        yield 300 * MILLISECOND
        self._view(path, PAGES[path], previous)
        yield self._pause(1)
        if random.random() < 0.6:
            metric = random.choice(tuple(VITALS))
            value = round(VITALS[metric] * random.lognormvariate(0, 0.4), 3)
            self._tell("web.vital", {"metric": metric, "value": value, "path": path})
        yield from self._use(path)

    def _use(self, path: str) -> Process:
        random = self.kernel.random
        while path in BUTTONS and random.random() < 0.45:
            yield self._pause(5)
            element, label = BUTTONS[path]
            self._tell("button.click", {"element_id": element, "label": label, "path": path, "action": "click"})
        yield self._pause(6)

    def _log_in(self, *, success: bool) -> None:
        random = self.kernel.random
        properties: Properties = {
            "method": random.choice(("password", "password", "refresh", "api_key")) if success else "password",
            "success": success,
            # Addresses are hashed before they leave the login service.
            "ip": token(random, 128),
            "user_agent": self.agent,
        }
        if not success:
            properties["failure_reason"] = random.choice(("wrong_password", "wrong_password", "account_locked"))
        self._tell("user.login", properties)

    def _view(self, path: str, title: str, referrer: str | None) -> None:
        load_time = round(self.kernel.random.lognormvariate(5.8, 0.5), 1)
        properties: Properties = {
            "path": path,
            "title": title,
            "load_time_ms": load_time,
            "viewport": self.viewport,
        }
        if referrer is not None:
            properties["referrer"] = referrer
        # Whoever has not logged in yet is a session without a user.
        self._tell("page.view", properties, known=path != "/login")

    def _tell(self, event_type: str, properties: Properties, *, known: bool = True) -> None:
        user_id = self.user_id if known else None
        self.kernel.emit(event_type, properties, user_id=user_id, session_id=self.session_id)

    def _pause(self, seconds: float) -> int:
        """People think longer than they say, and never the same."""
        return int(self.kernel.random.lognormvariate(0, 0.8) * seconds * SECOND)


def receive_visitors(kernel: Kernel) -> None:
    # As many as there usually are have been here for a while: a stream need not warm up.
    for _ in range(min(10_000, int(PRESENT * kernel.rate))):
        kernel.start(Visit(kernel).go_on(), after=kernel.random.randrange(8 * SECOND))
    # And a demo must not wait minutes for its first login.
    for number in range(3):
        kernel.start(Visit(kernel).live(), after=number * SECOND // 2)
    kernel.repeat(lambda: kernel.start(Visit(kernel).live()), VISITS, steady=True)
