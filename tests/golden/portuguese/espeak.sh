#!/bin/sh
# Reads the words of both tables to espeak-ng (Debian's package): nothing may be left in them that is no word, and no word may make it
# change to another language, as it does for what it takes for English. The tests hold the program to the same words.
#
#     apt-get install espeak-ng && sh tests/golden/portuguese/espeak.sh
set -eu
cd "$(dirname "$0")"
for table in "brazil pt-br" "portugal pt-pt"; do
    set -- $table
    # Signs of HTML are left to whoever reads them.
    words=$(grep -v -e '^#' -e '&amp;' "$1.tsv" | cut -f2)
    if printf '%s\n' "$words" | grep -nE '[0-9%$€£°ºª&@#+=/<>²³½×÷§_^√π→₂⁸]'; then
        echo "$1.tsv: signs are left" >&2
        exit 1
    fi
    if printf '%s\n' "$words" | espeak-ng -v "$2" -q --ipa | grep -nE '\((en|es|fr)[a-z-]*\)'; then
        echo "$1.tsv: a word of another language" >&2
        exit 1
    fi
    echo "$1.tsv: $(printf '%s\n' "$words" | wc -l) sentences, all words"
done
