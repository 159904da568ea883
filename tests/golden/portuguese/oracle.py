"""Expected words of 20 000 numbers: num2words' Brazilian cardinals, ordinals and reais.

    python3 -m venv venv && . venv/bin/activate
    pip install num2words==0.5.14
    python tests/golden/portuguese/oracle.py      # rewrites numbers.txt beside this script; seconds

num2words puts a comma between groups ("mil, duzentos e trinta e quatro"), and says "zero reais e" before cents: these are
dropped, all else is as it wrote it. So that the golden file stays small it holds, for each block of 100 numbers, a CRC-32
of their words and the words of the first. The numbers are made by a linear congruential generator, as the test makes them:
their sizes are spread evenly over the number of digits. Ordinals go up to 399: past that num2words misspells hundreds
("quadrigentésimo", "septigentésimo").
"""

import zlib
from pathlib import Path

from num2words import num2words

HERE = Path(__file__).parent
BLOCK, BLOCKS = 100, {"cardinal": 140, "ordinal": 20, "currency": 40}


def numbers(seed):
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        size = 10 ** (1 + (state >> 33) % 12)
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 20) % size


def words(kind, n):
    if kind == "cardinal":
        return num2words(n, lang="pt_BR").replace(",", "")
    if kind == "ordinal":
        return num2words(n % 399 + 1, lang="pt_BR", to="ordinal").replace(",", "")
    reais = num2words(n % 10**9 / 100, lang="pt_BR", to="currency").replace(",", "")
    return reais.removeprefix("zero reais e ")


def main():
    lines = []
    for seed, (kind, blocks) in enumerate(BLOCKS.items(), 1):
        made = numbers(seed)
        for _ in range(blocks):
            block = [words(kind, next(made)) for _ in range(BLOCK)]
            crc = zlib.crc32("\n".join(block).encode())
            lines.append(f"{kind}\t{crc:08x}\t{block[0]}")
    (HERE / "numbers.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
