#!/bin/sh
# Writes to both streams in turn, slowly enough that the order can be seen.
for i in 1 2 3 4 5; do
  echo "out $i"; sleep 0.05
  echo "err $i" >&2; sleep 0.05
done
