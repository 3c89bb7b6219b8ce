"""Sample v1, the requests: made-up questions of travellers, with slots whose names the neighbouring words decide.

These are not ATIS. A form such as "flights from {from} to {to} {when}" is filled in at random; every word of a filled
place gets the tag of the place, the others O. The same cities fill places of three names, so that a word alone never
tells the name; what tells it stands before ("from boston"), behind ("boston is where i start"), or in another clause
("the one to denver that leaves on monday" and "the one from denver that arrives on monday").

The ceiling, exactly. In the forms of BARE nothing tells whether the city is the origin or the destination ("boston
flights please"). In the test part each such request appears twice, once with either tag: whatever a model answers, one
of the two is wrong. If a share q of the slots stands in them, precision, recall and so F1 are at most

    slot_f1 = 1 - q / 2

(to leave them all out would give 2 (1 - q) / (2 - q), which is less), and `token_accuracy` is at most 1 less half the
share of their words. In the training part the tag of each is drawn. BARE is a quota, not a draw: both numbers hold for
this very test part.
"""

from typing import NamedTuple

import numpy as np

from seqjax.data.text.atis_files import Request

TRAIN, TEST = 2400, 600
BARE_SHARE = 0.1

CITIES = (
    "atlanta", "baltimore", "boston", "charlotte", "chicago", "dallas", "denver", "detroit", "los angeles", "memphis",
    "new orleans", "new york", "oakland", "philadelphia", "phoenix", "pittsburgh", "salt lake city", "san diego",
    "san francisco", "san jose", "seattle", "st. louis", "st. paul", "toronto",
)  # fmt: skip
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
AIRLINES = ("american airlines", "continental", "delta", "northwest", "united airlines", "us air")
NAMES = {
    "from": "fromloc.city_name",
    "to": "toloc.city_name",
    "stop": "stoploc.city_name",
    "leave": "depart_date.day_name",
    "arrive": "arrive_date.day_name",
    "period": "depart_time.period_of_day",
    "airline": "airline_name",
    "number": "flight_number",
    "class": "class_type",
}
FILLINGS = {
    "from": CITIES,
    "to": CITIES,
    "stop": CITIES,
    "leave": DAYS,
    "arrive": DAYS,
    "period": ("morning", "afternoon", "evening", "late night"),
    "airline": AIRLINES,
    "number": tuple(map(str, range(100, 2000, 17))),
    "class": ("first class", "coach", "business class"),
}
OPENINGS = ("show me", "list", "i want", "i'd like", "please find", "what are", "are there", "give me")
FORMS = (
    "{open} flights from {from} to {to}",
    "{open} flights to {to} from {from} on {leave} {period}",
    "{open} {class} fares between {from} and {to} on {airline}",
    "i want to fly {from} to {to} and be there by {arrive}",
    "{from} is where i start and {to} is where i go on {leave}",
    "{to} is where i go and {from} is where i start",
    "the one to {to} that leaves on {leave} in the {period}",
    "the one from {from} that arrives on {arrive}",
    "{open} the {airline} flight that leaves {from} {leave} and gets to {to} {arrive}",
    "from {from} to {to} with a stop in {stop}",
    "{open} flights from {from} through {stop} to {to} on {leave}",
    "how much is {class} on {airline} flight {number}",
    "when does flight {number} from {from} reach {to}",
    "does {airline} {number} stop in {stop} on its way to {to}",
)
BARE = ("{city} flights please", "anything for {city} on {leave}", "{open} {airline} flights {city}")


class Generated(NamedTuple):
    """Requests, and the best scores that any model can expect on those for testing."""

    train: list[Request]
    test: list[Request]
    optimum: dict[str, float]


def requests(seed: int = 0) -> Generated:
    """TRAIN and TEST requests."""
    rng = np.random.default_rng(seed)
    plain = lambda count: [_filled(FORMS[k % len(FORMS)], rng) for k in range(count)]
    bare = lambda k, name: _filled(BARE[k % len(BARE)].replace("{city}", f"{{{name}}}"), rng)
    drawn = [bare(k, "from" if rng.random() < 0.5 else "to") for k in range(round(TRAIN * BARE_SHARE))]
    train = plain(TRAIN - len(drawn)) + drawn
    ones = [bare(k, "from") for k in range(round(TEST * BARE_SHARE / 2))]
    both = [*ones, *map(_other, ones)]
    certain = plain(TEST - len(both))
    return Generated(_mixed(train, rng), _mixed(certain + both, rng), _optimum(certain, both))


def _optimum(certain: list[Request], both: list[Request]) -> dict[str, float]:
    tags = [tag for request in certain + both for tag in request.tags]
    slots = sum(tag.startswith("B-") for tag in tags)
    doubtful = [tag for request in both for tag in request.tags if tag[2:] in (NAMES["from"], NAMES["to"])]
    halves = sum(tag.startswith("B-") for tag in doubtful) / 2
    return {"slot_f1": 1 - halves / slots, "token_accuracy": 1 - len(doubtful) / 2 / len(tags)}


def _filled(form: str, rng: np.random.Generator) -> Request:
    words: list[str] = []
    tags: list[str] = []
    for place in form.split():
        filling = place[1:-1] if place.startswith("{") else None
        choices = (place,) if filling is None else FILLINGS.get(filling, OPENINGS)
        text = choices[rng.integers(len(choices))].split()
        words += text
        if filling in NAMES:
            tags += [f"{'I' if k else 'B'}-{NAMES[filling]}" for k in range(len(text))]
        else:
            tags += ["O"] * len(text)
    return Request(tuple(words), tuple(tags))


def _other(request: Request) -> Request:
    """The same with the origin called the destination."""
    return Request(request.words, tuple(tag.replace(NAMES["from"], NAMES["to"]) for tag in request.tags))


def _mixed(requests: list[Request], rng: np.random.Generator) -> list[Request]:
    return [requests[k] for k in rng.permutation(len(requests))]
