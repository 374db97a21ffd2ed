"""The tokenizer of fpx/tokenizer.h once more, from its text and naively: every merge counts all pairs anew."""
import collections
import hashlib
import re

CUT = re.compile(rb" [A-Za-z\x80-\xff]{1,63}|[A-Za-z\x80-\xff]{1,64}"
                 rb"| [0-9]{1,63}|[0-9]{1,64}"
                 rb"| [^A-Za-z\x80-\xff0-9\t-\r ]{1,63}|[^A-Za-z\x80-\xff0-9\t-\r ]{1,64}"
                 rb"|[\t-\r ]{1,63}(?= [^\t-\r ])|[\t-\r ]{1,64}")


def pieces(text):
    found = CUT.findall(text)
    assert b"".join(found) == text
    return found


def replace(word, pair, token):
    out, i = [], 0
    while i < len(word):
        hit = tuple(word[i:i + 2]) == pair
        out.append(token if hit else word[i])
        i += 2 if hit else 1
    return tuple(out)


def train(text, vocabulary):
    words = collections.Counter(tuple(piece) for piece in pieces(text))
    merges = []
    while len(merges) < vocabulary - 256:
        count = collections.Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:]):
                count[pair] += times
        best = min(count, key=lambda pair: (-count[pair], pair), default=None)
        if best is None or count[best] < 2:
            break
        changed = collections.Counter()
        for word, times in words.items():
            changed[replace(word, best, 256 + len(merges))] += times
        words = changed
        merges.append(best)
    return merges


def encode(text, merges):
    """Every merge in turn over each piece: the earliest first, its leftmost occurrence first."""
    known, out = {}, []
    for piece in pieces(text):
        if piece not in known:
            word = tuple(piece)
            for i, pair in enumerate(merges):
                if pair[0] in word:
                    word = replace(word, pair, 256 + i)
            known[piece] = word
        out += known[piece]
    return out


def table(merges):
    """The bytes of every token."""
    tokens = [bytes([i]) for i in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    return tokens


def signed(body):
    return body + b"sha256 " + hashlib.sha256(body).hexdigest().encode() + b"\n"


def file_of(merges):
    lines = "".join(f"{left} {right}\n" for left, right in merges)
    return signed(f"fpx-tokenizer 1\nvocabulary {256 + len(merges)}\n{lines}".encode())
