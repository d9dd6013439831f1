"""A small task on text, character by character: which digit does a number end in that is written in words.

Inputs are the numbers from 0 to 499, such as "four hundred twenty one", as 27 characters each.
"""

import numpy as np
from gallery import main
from torch import Tensor, nn

import dcrit

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
)
ONES += "eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
LENGTH = 27


class Reader(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.letters = nn.Embedding(27, 8)
        self.layers = nn.Sequential(nn.Linear(8 * LENGTH, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, text: Tensor) -> Tensor:
        return self.layers(self.letters(text).flatten(1))


def in_words(number: int) -> str:
    if number >= 100:
        rest = f" {in_words(number % 100)}" if number % 100 else ""
        return f"{ONES.split()[number // 100]} hundred{rest}"
    if number >= 20:
        rest = f" {ONES.split()[number % 10]}" if number % 10 else ""
        return TENS.split()[number // 10 - 2] + rest
    return ONES.split()[number]


def study(small: bool) -> dcrit.Study:
    numbers = range(200 if small else 500)
    text = [in_words(number).rjust(LENGTH) for number in numbers]
    codes = np.array([[0 if letter == " " else ord(letter) - 96 for letter in line] for line in text])
    return dcrit.study(
        lambda seed: Reader(16 if small else 64),
        codes,
        [number % 10 for number in numbers],
        learning_rate=2e-2,
        steps=40 if small else 4000,
        max_runs=2 if small else 10,
        budget_minutes=60,
    )


if __name__ == "__main__":
    main("characters", study)
