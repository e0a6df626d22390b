#!/usr/bin/env bash
# Make, verify and archive a month's reports, compared with those of the month before where they are there. Settings,
# each with its default, come from the environment:
#   MONTH    the month before this one       DATA     data/sample
#   OUT      reports                         ARCHIVE  archive
# The archive holds the copies of the inputs too, so it is for the user's eyes alone.
set -euo pipefail
umask 077
cd "$(dirname "$0")"

MONTH=${MONTH:-$(python3 -c 'from datetime import date, timedelta; print(date.today().replace(day=1) - timedelta(1))')}
MONTH=${MONTH:0:7}
DATA=${DATA:-data/sample}
OUT=${OUT:-reports}
ARCHIVE=${ARCHIVE:-archive}

before=$(python3 -c 'import sys; y, m = map(int, sys.argv[1].split("-")); print(f"{y - (m == 1)}-{(m - 2) % 12 + 1:02}")' "$MONTH")
previous=()
if [ -f "$OUT/$before/manifest.json" ]; then previous=(--previous "$OUT/$before"); fi

python3 run.py report --month "$MONTH" --data "$DATA" --out "$OUT" "${previous[@]}"
.venv/bin/python -m attribution verify "$OUT/$MONTH"
mkdir -p "$ARCHIVE"
tar -czf "$ARCHIVE/.$MONTH.tar.gz" -C "$OUT" "$MONTH"
mv "$ARCHIVE/.$MONTH.tar.gz" "$ARCHIVE/$MONTH.tar.gz"
echo "$ARCHIVE/$MONTH.tar.gz"
