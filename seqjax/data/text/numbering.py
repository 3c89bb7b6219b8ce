"""Number equal things alike, a whole array at a time: a hash table, and the spelling of tokens by means of it.

A dictionary lookup for each word would take most of the time that it takes to vectorise a text. Here the words of some
texts are looked up all at once, as integers of 8 bytes. All but a few per cent of them have been met before and lie
where their hash says, so that one pass over the array is enough for them.

Legend: T keys or tokens.
"""

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: Knuth's multiplicative hash
EMPTY = np.uint64(2**64 - 1)
PIECE = 1 << 16  # keys at once: their arrays stay in the processor's cache


class Numbering:
    """Equal keys have equal numbers, over all calls: open addressing with a new hash function at each turn."""

    def __init__(self, integers: int = 1):
        """For keys of so many."""
        self._known, self._bits = 0, 10
        self._slots = np.full(1 << self._bits, -1, np.int32)  # the numbers of the keys that lie there; -1 is none
        # By number; EMPTY at the end: that of -1.
        self._keys = [np.full(1 << self._bits, EMPTY) for _ in range(integers)]

    def __call__(self, unused: int, *keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of keys.

        Args:
          unused: the number for the first new key; the next ones follow.
          keys: [T] uint64, one array for each integer of a key; the first one is below 2^64 - 1.

        Returns:
          [T] int32; for each number that is new, in order, the place of the first such key.
        """
        size = len(keys[0])
        numbers, firsts = np.empty(size, np.int32), [np.empty(0, np.int64)]
        for start in range(0, size, PIECE):
            some = [key[start : start + PIECE] for key in keys]
            found = self._slots[self._places(some, 1)]
            numbers[start : start + PIECE] = found
            left = np.flatnonzero(self._differ(found, some))
            if len(left):
                numbers[left + start], fresh = self._find_or_add(unused, [key[left] for key in some])
                firsts.append(left[fresh] + start)
                unused += len(fresh)
        return numbers, np.concatenate(firsts)

    def _places(self, keys: list[np.ndarray], turn: int) -> np.ndarray:
        """In which slots to look in a turn, 1, 2, ...: another odd factor in each, so that other keys meet."""
        factor = np.uint64(pow(GOLDEN, turn, 2**64))
        mixed = keys[0] * factor
        for key in keys[1:]:
            mixed = (mixed ^ mixed >> np.uint64(32) ^ key) * factor
        mixed += np.uint64(GOLDEN * (turn - 1) % 2**64)  # without it a key of 0 would only ever look in slot 0
        mixed >>= np.uint64(64 - self._bits)
        return mixed.view(np.int64)

    def _differ(self, numbers: np.ndarray, keys: list[np.ndarray]) -> np.ndarray:
        """[T] bool: whether the keys of these numbers are others than these keys."""
        differ = self._keys[0][numbers] != keys[0]
        for known, key in zip(self._keys[1:], keys[1:], strict=True):
            differ |= known[numbers] != key
        return differ

    def _find_or_add(self, unused: int, keys: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """As a call, at whatever turn a key is found."""
        self._make_room(unused, len(keys[0]))
        numbers, firsts = np.empty(len(keys[0]), np.int32), []
        # Backwards: where several are written to a slot the last one stays. Frequent keys come early, and are to be
        # found at the first turn.
        left, turn = np.arange(len(keys[0]))[::-1], 1
        while len(left):
            here = [key[left] for key in keys]
            places = self._places(here, turn)
            vacant = np.flatnonzero(self._slots[places] == -1)
            self._slots[places[vacant]] = vacant
            owners = vacant[self._slots[places[vacant]] == vacant]
            fresh = np.arange(unused, unused + len(owners))
            self._slots[places[owners]] = fresh
            for known, key in zip(self._keys, here, strict=True):
                known[fresh] = key[owners]
            self._known, unused = self._known + len(owners), unused + len(owners)
            firsts.append(left[owners])
            numbers[left] = found = self._slots[places]
            left, turn = left[self._differ(found, here)], turn + 1
        return numbers, np.concatenate(firsts)

    def _make_room(self, unused: int, keys: int) -> None:
        """For so many new keys and their numbers: half of the slots or more stay empty."""
        if unused + keys >= len(self._keys[0]):
            more = np.full(2 * (unused + keys) - len(self._keys[0]) + 1, EMPTY)
            self._keys = [np.append(known, more) for known in self._keys]
        if 2 * (self._known + keys) <= 1 << self._bits:
            return
        numbers = np.sort(self._slots[self._slots >= 0])[::-1]  # the oldest last, for the same reason
        self._bits = (8 * (self._known + keys) - 1).bit_length()
        self._slots = np.full(1 << self._bits, -1, np.int32)
        turn = 1
        while len(numbers):
            places = self._places([known[numbers] for known in self._keys], turn)
            vacant = np.flatnonzero(self._slots[places] == -1)
            self._slots[places[vacant]] = numbers[vacant]
            numbers, turn = numbers[self._slots[places] != numbers], turn + 1


class Spelling:
    """Numbers tokens by their bytes: all at once those of up to 8, then of up to 16, and the few longer ones singly."""

    def __init__(self):
        self._short, self._long = Numbering(1), Numbering(2)
        self._rest: dict[bytes, int] = {}
        self.tokens: list[bytes] = []
        """By number."""

    def __call__(self, text: bytes, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Numbers of tokens.

        Args:
          text: UTF-8, which never uses 0xFF, at least within tokens.
          starts: [T] where they start in it.
          lengths: [T] in bytes, 1 or more.

        Returns:
          [T] int32, equal for equal tokens alone.
        """
        eight = np.ndarray(len(text) + 9, "<u8", text + bytes(16), strides=(1,))  # a byte and the 7 behind it
        numbers = np.empty(len(starts), np.int32)
        keys = eight[starts]
        long = np.flatnonzero(lengths > 8)
        beginnings, sizes = keys[long], lengths[long]
        keys |= _BEHIND[np.minimum(lengths, 8)]
        learn = lambda places: self._learn(text, starts[places], lengths[places])
        if len(long) < len(starts):
            short = int(np.argmin(lengths))
            learn(short + self._short(len(self.tokens), keys[short : short + 1])[1])
            keys[long] = keys[short]  # known by now: the long ones add nothing
            numbers, first = self._short(len(self.tokens), keys)
            learn(first)
        middle = sizes <= 16
        some = long[middle]
        ends = eight[starts[some] + 8] | _BEHIND[sizes[middle] - 8]
        numbers[some], first = self._long(len(self.tokens), beginnings[middle], ends)
        learn(some[first])
        for place in long[~middle].tolist():
            token = text[starts[place] : starts[place] + lengths[place]]
            if token not in self._rest:
                self._rest[token] = len(self.tokens)
                self.tokens.append(token)
            numbers[place] = self._rest[token]
        return numbers

    def _learn(self, text: bytes, starts: np.ndarray, lengths: np.ndarray) -> None:
        ends = starts + lengths
        self.tokens += [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


_BEHIND = np.array([2**64 - 256**size for size in range(8)] + [0], np.uint64)
"""By size, 0xFF in all of 8 bytes but so many first ones."""
